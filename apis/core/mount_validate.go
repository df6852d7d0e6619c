package core

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func (p *podProblems) mounts(at *field.Path, c *corev1.Container) {
	points := map[string]bool{}
	for i := range c.VolumeMounts {
		m, item := &c.VolumeMounts[i], at.Index(i)
		p.need(item.Child("name"), m.Name)
		if p.usable[m.Name] == nil {
			p.list = append(p.list, field.NotFound(item.Child("name"), m.Name))
		}
		p.need(item.Child("mountPath"), m.MountPath)
		if points[m.MountPath] {
			p.invalid(item.Child("mountPath"), m.MountPath, "must be unique")
		}
		points[m.MountPath] = true
		if slices.ContainsFunc(c.VolumeDevices, func(d corev1.VolumeDevice) bool { return d.Name == m.Name }) {
			p.invalid(item.Child("name"), m.Name, "must not already exist in volumeDevices")
		}
		if slices.ContainsFunc(c.VolumeDevices, func(d corev1.VolumeDevice) bool { return d.DevicePath == m.MountPath }) {
			p.invalid(item.Child("mountPath"), m.MountPath, "must not already exist as a path in volumeDevices")
		}
		p.mountOptions(at, item, m, c)
	}
}

// mountOptions reports most problems at the list of mounts, where clients have learnt to find them.
func (p *podProblems) mountOptions(at, item *field.Path, m *corev1.VolumeMount, c *corev1.Container) {
	if m.SubPath != "" {
		p.descending(at.Child("subPath"), m.SubPath)
	}
	if m.SubPathExpr != "" {
		if m.SubPath != "" {
			p.invalid(item.Child("subPathExpr"), m.SubPathExpr, "subPathExpr and subPath are mutually exclusive")
		}
		p.descending(at.Child("subPathExpr"), m.SubPathExpr)
	}
	if mode := m.MountPropagation; mode != nil {
		at := at.Child("mountPropagation")
		oneOf(&p.problems, at, *mode, corev1.MountPropagationBidirectional, corev1.MountPropagationHostToContainer, corev1.MountPropagationNone)
		privileged := c.SecurityContext != nil && isTrue(c.SecurityContext.Privileged)
		if *mode == corev1.MountPropagationBidirectional && !privileged {
			p.forbidden(at, "Bidirectional mount propagation is available only to privileged containers")
		}
	}
	if m.RecursiveReadOnly == nil || *m.RecursiveReadOnly == corev1.RecursiveReadOnlyDisabled {
		return
	}
	at = at.Child("recursiveReadOnly")
	if mode := *m.RecursiveReadOnly; mode != corev1.RecursiveReadOnlyEnabled && mode != corev1.RecursiveReadOnlyIfPossible {
		oneOf(&p.problems, at, mode, corev1.RecursiveReadOnlyDisabled, corev1.RecursiveReadOnlyEnabled, corev1.RecursiveReadOnlyIfPossible)
		return
	}
	if !m.ReadOnly {
		p.forbidden(at, "may only be specified when readOnly is true")
	}
	if m.MountPropagation != nil && *m.MountPropagation != corev1.MountPropagationNone {
		p.forbidden(at, "may only be specified when mountPropagation is None or not specified")
	}
}

func (p *podProblems) devices(at *field.Path, c *corev1.Container) {
	paths, names := map[string]bool{}, map[string]bool{}
	for i := range c.VolumeDevices {
		d, at := &c.VolumeDevices[i], at.Index(i)
		p.need(at.Child("name"), d.Name)
		if names[d.Name] {
			p.invalid(at.Child("name"), d.Name, "must be unique")
		}
		switch v := p.usable[d.Name]; {
		case v == nil:
			p.list = append(p.list, field.NotFound(at.Child("name"), d.Name))
		case v.PersistentVolumeClaim == nil && v.Ephemeral == nil:
			p.invalid(at.Child("name"), d.Name, "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode")
		}
		p.need(at.Child("devicePath"), d.DevicePath)
		if paths[d.DevicePath] {
			p.invalid(at.Child("devicePath"), d.DevicePath, "must be unique")
		}
		var steps problems
		if steps.noBacksteps(at, d.DevicePath); len(steps.list) > 0 {
			p.invalid(at.Child("devicePath"), d.DevicePath, "can not contain backsteps ('..')")
		} else {
			paths[d.DevicePath] = true
		}
		if slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return m.Name == d.Name }) {
			p.invalid(at.Child("name"), d.Name, "must not already exist in volumeMounts")
		}
		if slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return m.MountPath == d.DevicePath }) {
			p.invalid(at.Child("devicePath"), d.DevicePath, "must not already exist as a path in volumeMounts")
		}
		if d.Name != "" {
			names[d.Name] = true
		}
	}
}
