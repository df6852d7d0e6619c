package core

import (
	"fmt"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// volumes checks the pod's volumes and remembers those that mounts may use: the valid ones.
func (p *podProblems) volumes(at *field.Path) {
	p.usable = make(map[string]*corev1.Volume, len(p.spec.Volumes))
	for i := range p.spec.Volumes {
		v, at := &p.spec.Volumes[i], at.Index(i)
		before := len(p.list)
		p.volumeSource(at, v)
		if p.need(at.Child("name"), v.Name) {
			p.label(at.Child("name"), v.Name)
		}
		if _, ok := p.usable[v.Name]; ok {
			p.duplicate(at.Child("name"), v.Name)
		}
		if len(p.list) == before {
			p.usable[v.Name] = v
		}
		if c := v.PersistentVolumeClaim; c != nil && p.makesClaim(c.ClaimName) {
			p.invalid(at.Child("persistentVolumeClaim", "claimName"), c.ClaimName, "must not reference a PVC that gets created for an ephemeral volume")
		}
	}
}

// makesClaim reports whether the claim will be made for an ephemeral volume of the pod itself.
func (p *podProblems) makesClaim(name string) bool {
	return p.name() != "" && slices.ContainsFunc(p.spec.Volumes, func(v corev1.Volume) bool {
		return v.Ephemeral != nil && p.name()+"-"+v.Name == name
	})
}

// A oneSource lets only one of several sources of a volume be given.
type oneSource struct {
	p    *problems
	some bool
}

// first reports whether the source is to be checked: it is set, and the first.
func (o *oneSource) first(at *field.Path, name string, set bool) bool {
	if set && o.some {
		o.p.forbidden(at.Child(name), "may not specify more than 1 volume type")
		return false
	}
	o.some = o.some || set
	return set
}

func (p *podProblems) volumeSource(at *field.Path, v *corev1.Volume) {
	one := oneSource{p: &p.problems}
	if e := v.EmptyDir; one.first(at, "emptyDir", e != nil) && e.SizeLimit != nil && e.SizeLimit.Cmp(resource.Quantity{}) < 0 {
		p.forbidden(at.Child("emptyDir", "sizeLimit"), "SizeLimit field must be a valid resource quantity")
	}
	if one.first(at, "hostPath", v.HostPath != nil) {
		at := at.Child("hostPath")
		p.hostPath(at, v.HostPath)
	}
	if one.first(at, "gitRepo", v.GitRepo != nil) {
		at := at.Child("gitRepo")
		p.need(at.Child("repository"), v.GitRepo.Repository)
		p.descending(at.Child("directory"), v.GitRepo.Directory)
	}
	p.cloudDisks(&one, at, v.GCEPersistentDisk, v.AWSElasticBlockStore)
	if one.first(at, "secret", v.Secret != nil) {
		at := at.Child("secret")
		p.need(at.Child("secretName"), v.Secret.SecretName)
		p.filesOf(at, v.Secret.DefaultMode, v.Secret.Items)
	}
	if one.first(at, "nfs", v.NFS != nil) {
		at := at.Child("nfs")
		p.nfs(at, v.NFS)
	}
	if one.first(at, "iscsi", v.ISCSI != nil) {
		at := at.Child("iscsi")
		p.iscsi(at, v.ISCSI)
	}
	if s := v.ISCSI; s != nil && s.InitiatorName != nil && len(v.Name+":"+s.TargetPortal) > 64 {
		p.invalid(at.Child("name"), v.Name, iscsiTooLong)
	}
	if one.first(at, "glusterfs", v.Glusterfs != nil) {
		at := at.Child("glusterfs")
		p.need(at.Child("endpoints"), v.Glusterfs.EndpointsName)
		p.need(at.Child("path"), v.Glusterfs.Path)
	}
	if one.first(at, "flocker", v.Flocker != nil) {
		at := at.Child("flocker")
		p.flocker(at, v.Flocker)
	}
	if one.first(at, "persistentVolumeClaim", v.PersistentVolumeClaim != nil) {
		at := at.Child("persistentVolumeClaim")
		p.need(at.Child("claimName"), v.PersistentVolumeClaim.ClaimName)
	}
	p.moreVolumeSources(&one, at, v)
	if !one.some {
		p.required(at, "must specify a volume type")
	}
}

func (p *podProblems) moreVolumeSources(one *oneSource, at *field.Path, v *corev1.Volume) {
	if s := v.RBD; one.first(at, "rbd", s != nil) {
		at := at.Child("rbd")
		p.ceph(at, s.CephMonitors)
		p.need(at.Child("image"), s.RBDImage)
	}
	if s := v.Cinder; one.first(at, "cinder", s != nil) {
		at := at.Child("cinder")
		p.need(at.Child("volumeID"), s.VolumeID)
		if s.SecretRef != nil {
			p.need(at.Child("secretRef", "name"), s.SecretRef.Name)
		}
	}
	if one.first(at, "cephFS", v.CephFS != nil) {
		p.ceph(at.Child("cephfs"), v.CephFS.Monitors)
	}
	if one.first(at, "quobyte", v.Quobyte != nil) {
		at := at.Child("quobyte")
		p.quobyte(at, v.Quobyte)
	}
	if d := v.DownwardAPI; one.first(at, "downwarAPI", d != nil) { // so it is spelt
		at := at.Child("downwardAPI")
		p.fileMode(at.Child("defaultMode"), d.DefaultMode)
		for i := range d.Items {
			p.downwardFile(at, &d.Items[i])
		}
	}
	if one.first(at, "fc", v.FC != nil) {
		at := at.Child("fc")
		p.fibreChannel(at, v.FC)
	}
	if one.first(at, "flexVolume", v.FlexVolume != nil) {
		at := at.Child("flexVolume")
		p.flex(at, v.FlexVolume.Driver, v.FlexVolume.Options)
	}
	if one.first(at, "configMap", v.ConfigMap != nil) {
		at := at.Child("configMap")
		p.need(at.Child("name"), v.ConfigMap.Name)
		p.filesOf(at, v.ConfigMap.DefaultMode, v.ConfigMap.Items)
	}
	if s := v.AzureFile; one.first(at, "azureFile", s != nil) {
		at := at.Child("azureFile")
		p.need(at.Child("secretName"), s.SecretName)
		p.need(at.Child("shareName"), s.ShareName)
	}
	p.oldDisks(one, at, v.VsphereVolume, v.PhotonPersistentDisk, v.PortworxVolume, v.AzureDisk)
	if s := v.StorageOS; one.first(at, "storageos", s != nil) {
		at := at.Child("storageos")
		p.storageOS(at, s.VolumeName, s.VolumeNamespace)
		if s.SecretRef != nil {
			p.need(at.Child("secretRef", "name"), s.SecretRef.Name)
		}
	}
	if one.first(at, "projected", v.Projected != nil) {
		at := at.Child("projected")
		p.fileMode(at.Child("defaultMode"), v.Projected.DefaultMode)
		p.projected(at, v.Projected)
	}
	if s := v.ScaleIO; one.first(at, "scaleIO", s != nil) {
		at := at.Child("scaleIO")
		p.scaleIO(at, s.Gateway, s.System, s.VolumeName)
	}
	if s := v.CSI; one.first(at, "csi", s != nil) {
		at := at.Child("csi")
		p.driver(at.Child("driver"), s.Driver)
		if r := s.NodePublishSecretRef; r != nil && p.need(at.Child("nodePublishSecretRef", "name"), r.Name) {
			p.subdomain(at.Child("name"), r.Name)
		}
	}
	if one.first(at, "ephemeral", v.Ephemeral != nil) {
		p.ephemeralVolume(at, v)
	}
	if s := v.Image; one.first(at, "image", s != nil) {
		at := at.Child("image")
		p.need(at.Child("reference"), s.Reference)
		p.pullPolicy(at.Child("pullPolicy"), s.PullPolicy)
	}
}

func (p *podProblems) ephemeralVolume(at *field.Path, v *corev1.Volume) {
	template := at.Child("ephemeral", "volumeClaimTemplate")
	if t := v.Ephemeral.VolumeClaimTemplate; t == nil {
		p.required(template, "")
	} else {
		p.join(apivalidation.ValidateAnnotations(t.Annotations, template.Child("metadata", "annotations")))
		p.join(metav1validation.ValidateLabels(t.Labels, template.Child("metadata", "labels")))
		p.join(ValidateClaimSpec(&t.Spec, template.Child("spec")))
	}
	if p.name() != "" && v.Name != "" {
		claim := p.name() + "-" + v.Name
		for _, message := range apivalidation.NameIsDNSSubdomain(claim, false) {
			p.invalid(at.Child("name"), v.Name, fmt.Sprintf("PVC name %q: %v", claim, message))
		}
	}
}

func (p *problems) hostPath(at *field.Path, h *corev1.HostPathVolumeSource) {
	if !p.need(at.Child("path"), h.Path) {
		return
	}
	p.noBacksteps(at.Child("path"), h.Path)
	if h.Type != nil {
		oneOf(p, at.Child("type"), *h.Type, corev1.HostPathUnset, corev1.HostPathBlockDev, corev1.HostPathCharDev, corev1.HostPathDirectory,
			corev1.HostPathDirectoryOrCreate, corev1.HostPathFile, corev1.HostPathFileOrCreate, corev1.HostPathSocket)
	}
}

func (p *problems) fileMode(at *field.Path, mode *int32) {
	if mode != nil && (*mode < 0 || *mode > 0o777) {
		p.invalid(at, *mode, "must be a number between 0 and 0777 (octal), both inclusive")
	}
}

func (p *problems) filesOf(at *field.Path, mode *int32, items []corev1.KeyToPath) {
	p.fileMode(at.Child("defaultMode"), mode)
	for i := range items {
		p.keyToPath(at.Child("items").Index(i), &items[i])
	}
}

func (p *problems) keyToPath(at *field.Path, k *corev1.KeyToPath) {
	p.need(at.Child("key"), k.Key)
	p.need(at.Child("path"), k.Path)
	p.localPath(at.Child("path"), k.Path)
	p.fileMode(at.Child("mode"), k.Mode)
}

func (p *podProblems) downwardFile(at *field.Path, f *corev1.DownwardAPIVolumeFile) {
	p.need(at.Child("path"), f.Path)
	p.localPath(at.Child("path"), f.Path)
	switch {
	case f.FieldRef != nil:
		p.fieldRef(at.Child("fieldRef"), f.FieldRef, volumeFields)
		if f.ResourceFieldRef != nil {
			p.invalid(at, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously")
		}
	case f.ResourceFieldRef != nil:
		p.resourceFieldRef(at.Child("resourceFieldRef"), f.ResourceFieldRef, true)
	default:
		p.required(at, "one of fieldRef and resourceFieldRef is required")
	}
	p.fileMode(at.Child("mode"), f.Mode)
}

// noBacksteps refuses paths that lead up.
func (p *problems) noBacksteps(at *field.Path, target string) {
	if slices.Contains(strings.Split(target, "/"), "..") {
		p.invalid(at, target, "must not contain '..'")
	}
}

// descending requires a path that stays below where it begins.
func (p *problems) descending(at *field.Path, target string) {
	if path.IsAbs(target) {
		p.invalid(at, target, "must be a relative path")
	}
	p.noBacksteps(at, target)
}

// localPath also keeps out of the way of names that the kubelet uses itself.
func (p *problems) localPath(at *field.Path, target string) {
	p.descending(at, target)
	if strings.HasPrefix(target, "..") && !strings.HasPrefix(target, "../") {
		p.invalid(at, target, "must not start with '..'")
	}
}
