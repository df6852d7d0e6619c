package core

import (
	"fmt"
	"path"
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/diff"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/coracle-k8s/coracle/apis/rule"
)

// ValidatePersistentVolume checks a volume that is created or updated.
func ValidatePersistentVolume(v *corev1.PersistentVolume) field.ErrorList {
	var p problems
	at, s := field.NewPath("spec"), &v.Spec
	if len(s.AccessModes) == 0 {
		p.required(at.Child("accessModes"), "")
	}
	p.accessModes(at.Child("accessModes"), s.AccessModes)
	p.capacity(at.Child("capacity"), s.Capacity)
	if s.PersistentVolumeReclaimPolicy != "" {
		oneOf(&p, at.Child("persistentVolumeReclaimPolicy"), s.PersistentVolumeReclaimPolicy, corev1.PersistentVolumeReclaimDelete, corev1.PersistentVolumeReclaimRecycle, corev1.PersistentVolumeReclaimRetain)
	}
	affine := false
	if a := s.NodeAffinity; a != nil {
		if affine = a.Required != nil; affine {
			p.nodeSelector(at.Child("nodeAffinity", "required"), a.Required)
		} else {
			p.required(at.Child("nodeAffinity", "required"), "must specify required node constraints")
		}
	}
	p.persistentSource(at, v, affine)
	p.mountOptions(v)
	if s.HostPath != nil && path.Clean(s.HostPath.Path) == "/" && s.PersistentVolumeReclaimPolicy == corev1.PersistentVolumeReclaimRecycle {
		p.forbidden(at.Child("persistentVolumeReclaimPolicy"), "may not be 'recycle' for a hostPath mount of '/'")
	}
	if s.StorageClassName != "" {
		p.subdomain(at.Child("storageClassName"), s.StorageClassName)
	}
	if s.VolumeMode != nil {
		p.volumeMode(at.Child("volumeMode"), *s.VolumeMode)
	}
	if class := s.VolumeAttributesClassName; class != nil {
		if *class == "" {
			p.required(at.Child("volumeAttributesClassName"), "an empty string is disallowed")
		} else {
			p.subdomain(at.Child("volumeAttributesClassName"), *class)
		}
		if s.CSI == nil {
			p.required(at.Child("csi"), "has to be specified when using volumeAttributesClassName")
		}
	}
	return p.list
}

func (p *problems) volumeMode(at *field.Path, mode corev1.PersistentVolumeMode) {
	oneOf(p, at, mode, corev1.PersistentVolumeBlock, corev1.PersistentVolumeFilesystem)
}

func (p *problems) accessModes(at *field.Path, modes []corev1.PersistentVolumeAccessMode) {
	known := []corev1.PersistentVolumeAccessMode{corev1.ReadOnlyMany, corev1.ReadWriteMany, corev1.ReadWriteOnce, corev1.ReadWriteOncePod}
	onePod, others := false, false
	for _, mode := range modes {
		oneOf(p, at, mode, known...)
		onePod = onePod || mode == corev1.ReadWriteOncePod
		others = others || mode != corev1.ReadWriteOncePod && slices.Contains(known, mode)
	}
	if onePod && others {
		p.forbidden(at, "may not use ReadWriteOncePod with other access modes")
	}
}

func (p *problems) capacity(at *field.Path, c corev1.ResourceList) {
	if len(c) == 0 {
		p.required(at, "")
	}
	if _, ok := c[corev1.ResourceStorage]; !ok || len(c) > 1 {
		p.list = append(p.list, field.NotSupported(at, c, []corev1.ResourceName{corev1.ResourceStorage}))
	}
	for name, q := range c {
		at := at.Key(string(name))
		if q.Value() < 0 {
			p.invalid(at, q.Value(), "must be a valid resource quantity")
		}
		p.positive(at, q)
	}
}

func (p *problems) persistentSource(at *field.Path, v *corev1.PersistentVolume, affine bool) {
	one, s := oneSource{p: p}, &v.Spec
	if one.first(at, "hostPath", s.HostPath != nil) {
		p.hostPath(at.Child("hostPath"), s.HostPath)
	}
	p.cloudDisks(&one, at, s.GCEPersistentDisk, s.AWSElasticBlockStore)
	if one.first(at, "glusterfs", s.Glusterfs != nil) {
		p.glusterVolume(at.Child("glusterfs"), s.Glusterfs)
	}
	if one.first(at, "flocker", s.Flocker != nil) {
		p.flocker(at.Child("flocker"), s.Flocker)
	}
	if one.first(at, "nfs", s.NFS != nil) {
		p.nfs(at.Child("nfs"), s.NFS)
	}
	if one.first(at, "rbd", s.RBD != nil) {
		p.ceph(at.Child("rbd"), s.RBD.CephMonitors)
		p.need(at.Child("rbd", "image"), s.RBD.RBDImage)
	}
	if one.first(at, "quobyte", s.Quobyte != nil) {
		p.quobyte(at.Child("quobyte"), s.Quobyte)
	}
	if one.first(at, "cephFS", s.CephFS != nil) {
		p.ceph(at.Child("cephfs"), s.CephFS.Monitors)
	}
	if one.first(at, "iscsi", s.ISCSI != nil) {
		p.iscsiVolume(at.Child("iscsi"), v.Name, s.ISCSI)
	}
	if one.first(at, "cinder", s.Cinder != nil) {
		p.need(at.Child("cinder", "volumeID"), s.Cinder.VolumeID)
		p.bothNames(at.Child("cinder", "secretRef"), s.Cinder.SecretRef)
	}
	if one.first(at, "fc", s.FC != nil) {
		p.fibreChannel(at.Child("fc"), s.FC)
	}
	if s.FlexVolume != nil { // beside another source, too: nobody ever refused that
		one.some = true
		p.flex(at.Child("flexVolume"), s.FlexVolume.Driver, s.FlexVolume.Options)
	}
	if one.first(at, "azureFile", s.AzureFile != nil) {
		p.azureFileVolume(at.Child("azureFile"), s.AzureFile)
	}
	p.oldDisks(&one, at, s.VsphereVolume, s.PhotonPersistentDisk, s.PortworxVolume, s.AzureDisk)
	if one.first(at, "scaleIO", s.ScaleIO != nil) {
		p.scaleIO(at.Child("scaleIO"), s.ScaleIO.Gateway, s.ScaleIO.System, s.ScaleIO.VolumeName)
	}
	if one.first(at, "local", s.Local != nil) {
		if p.need(at.Child("local", "path"), s.Local.Path) {
			p.noBacksteps(at.Child("local", "path"), s.Local.Path)
		}
		if !affine {
			p.required(at.Child("nodeAffinity"), "Local volume requires node affinity")
		}
	}
	if one.first(at, "storageos", s.StorageOS != nil) {
		p.storageOS(at.Child("storageos"), s.StorageOS.VolumeName, s.StorageOS.VolumeNamespace)
		if r := s.StorageOS.SecretRef; r != nil {
			p.need(at.Child("storageos", "secretRef", "name"), r.Name)
			p.need(at.Child("storageos", "secretRef", "namespace"), r.Namespace)
		}
	}
	if one.first(at, "csi", s.CSI != nil) {
		p.csiVolume(at.Child("csi"), s.CSI)
	}
	if !one.some {
		p.required(at, "must specify a volume type")
	}
}

// mountOptions refuses the older annotation for kinds of volumes that never heeded it.
func (p *problems) mountOptions(v *corev1.PersistentVolume) {
	s := &v.Spec
	if _, ok := v.Annotations[corev1.MountOptionAnnotation]; !ok || s.GCEPersistentDisk != nil || s.AWSElasticBlockStore != nil || s.Glusterfs != nil ||
		s.NFS != nil || s.RBD != nil || s.Quobyte != nil || s.ISCSI != nil || s.Cinder != nil || s.CephFS != nil || s.AzureFile != nil ||
		s.VsphereVolume != nil || s.AzureDisk != nil || s.PhotonPersistentDisk != nil {
		return
	}
	p.forbidden(field.NewPath("metadata", "annotations", corev1.MountOptionAnnotation), "may not specify mount options for this volume type")
}

func (p *problems) bothNames(at *field.Path, r *corev1.SecretReference) {
	if r != nil {
		p.need(at.Child("name"), r.Name)
		p.need(at.Child("namespace"), r.Namespace)
	}
}

func (p *problems) glusterVolume(at *field.Path, s *corev1.GlusterfsPersistentVolumeSource) {
	p.need(at.Child("endpoints"), s.EndpointsName)
	p.need(at.Child("path"), s.Path)
	switch at, namespace := at.Child("endpointsNamespace"), s.EndpointsNamespace; {
	case namespace == nil:
	case *namespace == "":
		p.invalid(at, "", "if the endpointnamespace is set, it must be a valid namespace name")
	default:
		p.label(at, *namespace)
	}
}

func (p *problems) iscsiVolume(at *field.Path, volume string, s *corev1.ISCSIPersistentVolumeSource) {
	p.need(at.Child("targetPortal"), s.TargetPortal)
	if s.InitiatorName != nil && len(volume+":"+s.TargetPortal) > 64 {
		p.invalid(at.Child("targetportal"), s.TargetPortal, iscsiTooLong)
	}
	p.iscsiRest(at, s.IQN, s.Lun, (s.DiscoveryCHAPAuth || s.SessionCHAPAuth) && s.SecretRef == nil, "must be valid format")
	if s.SecretRef != nil {
		p.need(at.Child("secretRef", "name"), s.SecretRef.Name)
	}
	if s.InitiatorName != nil {
		p.iscsiName(at.Child("initiatorname"), *s.InitiatorName, "must be valid format")
	}
}

func (p *problems) azureFileVolume(at *field.Path, s *corev1.AzureFilePersistentVolumeSource) {
	p.need(at.Child("secretName"), s.SecretName)
	p.need(at.Child("shareName"), s.ShareName)
	if s.SecretNamespace != nil {
		p.need(at.Child("secretNamespace"), *s.SecretNamespace)
	}
}

func (p *problems) csiVolume(at *field.Path, s *corev1.CSIPersistentVolumeSource) {
	p.driver(at.Child("driver"), s.Driver)
	p.need(at.Child("volumeHandle"), s.VolumeHandle)
	for _, f := range []struct {
		name string
		ref  *corev1.SecretReference
	}{
		{"controllerPublishSecretRef", s.ControllerPublishSecretRef}, {"controllerExpandSecretRef", s.ControllerExpandSecretRef},
		{"nodePublishSecretRef", s.NodePublishSecretRef}, {"nodeExpandSecretRef", s.NodeExpandSecretRef},
	} {
		if f.ref == nil {
			continue
		}
		at := at.Child(f.name)
		if p.need(at.Child("name"), f.ref.Name) {
			p.subdomain(at.Child("name"), f.ref.Name)
		}
		if p.need(at.Child("namespace"), f.ref.Namespace) {
			p.label(at.Child("namespace"), f.ref.Namespace)
		}
	}
}

// ValidatePersistentVolumeUpdate checks a changed volume, and protects where the data is.
func ValidatePersistentVolumeUpdate(v, old *corev1.PersistentVolume) field.ErrorList {
	var p problems
	p.join(ValidatePersistentVolume(v))
	p.join(ValidatePersistentVolume(v)) // clients know it twice
	is, was := v.Spec.PersistentVolumeSource, old.Spec.PersistentVolumeSource
	if is.CSI != nil && was.CSI != nil && was.CSI.ControllerExpandSecretRef == nil {
		csi := *is.CSI
		csi.ControllerExpandSecretRef = nil // may be added later
		is.CSI = &csi
	}
	if !apiequality.Semantic.DeepEqual(is, was) {
		p.forbidden(field.NewPath("spec", "persistentvolumesource"), fmt.Sprintf("spec.persistentvolumesource is immutable after creation\n%v", diff.Diff(rule.Internal(was), rule.Internal(is))))
	}
	p.join(apivalidation.ValidateImmutableField(v.Spec.VolumeMode, old.Spec.VolumeMode, field.NewPath("volumeMode")))
	if old.Spec.NodeAffinity != nil && !apiequality.Semantic.DeepEqual(v.Spec.NodeAffinity, withStableLabels(old.Spec.NodeAffinity, v.Spec.NodeAffinity)) {
		p.invalid(field.NewPath("nodeAffinity"), v.Spec.NodeAffinity, "field is immutable, except for updating from beta label to GA")
	}
	if old.Spec.VolumeAttributesClassName != nil && v.Spec.VolumeAttributesClassName == nil {
		p.forbidden(field.NewPath("spec", "volumeAttributesClassName"), "update from non-nil value to nil is forbidden")
	}
	return p.list
}

// stableLabels are labels of nodes and what they were called before.
var stableLabels = map[string]string{
	corev1.LabelFailureDomainBetaZone: corev1.LabelTopologyZone, corev1.LabelFailureDomainBetaRegion: corev1.LabelTopologyRegion,
	"beta.kubernetes.io/os": corev1.LabelOSStable, "beta.kubernetes.io/arch": corev1.LabelArchStable,
	corev1.LabelInstanceType: corev1.LabelInstanceTypeStable,
}

// withStableLabels is old, with labels called as they now are wherever like calls them so.
func withStableLabels(old, like *corev1.VolumeNodeAffinity) *corev1.VolumeNodeAffinity {
	out := old.DeepCopy()
	if like == nil || like.Required == nil || out.Required == nil {
		return out
	}
	for i := range out.Required.NodeSelectorTerms {
		for j := range out.Required.NodeSelectorTerms[i].MatchExpressions {
			e := &out.Required.NodeSelectorTerms[i].MatchExpressions[j]
			if i < len(like.Required.NodeSelectorTerms) && j < len(like.Required.NodeSelectorTerms[i].MatchExpressions) {
				if key := like.Required.NodeSelectorTerms[i].MatchExpressions[j].Key; stableLabels[e.Key] == key {
					e.Key = key
				}
			}
		}
	}
	return out
}

// ValidateClaim checks a volume claim that is created or updated.
func ValidateClaim(c *corev1.PersistentVolumeClaim) field.ErrorList {
	return ValidateClaimSpec(&c.Spec, field.NewPath("spec"))
}

// ValidateClaimSpec checks what a claim, or the template of one, asks for.
func ValidateClaimSpec(s *corev1.PersistentVolumeClaimSpec, at *field.Path) field.ErrorList {
	var p problems
	if len(s.AccessModes) == 0 {
		p.required(at.Child("accessModes"), "at least 1 access mode is required")
	}
	p.selector(at.Child("selector"), s.Selector)
	p.accessModes(at.Child("accessModes"), s.AccessModes)
	storage := at.Child("resources").Key(string(corev1.ResourceStorage))
	if q, ok := s.Resources.Requests[corev1.ResourceStorage]; !ok {
		p.required(storage, "")
	} else {
		p.positive(storage, q)
	}
	if s.StorageClassName != nil && *s.StorageClassName != "" {
		p.subdomain(at.Child("storageClassName"), *s.StorageClassName)
	}
	if s.VolumeMode != nil {
		p.volumeMode(at.Child("volumeMode"), *s.VolumeMode)
	}
	p.dataSources(at, s)
	if s.VolumeAttributesClassName != nil && *s.VolumeAttributesClassName != "" {
		p.subdomain(at.Child("volumeAttributesClassName"), *s.VolumeAttributesClassName)
	}
	return p.list
}

func (p *problems) dataSources(at *field.Path, s *corev1.PersistentVolumeClaimSpec) {
	source := func(at *field.Path, group *string, kind, name string) {
		p.need(at.Child("name"), name)
		p.need(at.Child("kind"), kind)
		if group == nil || *group == "" {
			if kind != "PersistentVolumeClaim" {
				p.invalid(at, kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup")
			}
			return
		}
		p.invalid(at.Child("apiGroup"), *group, validation.IsDNS1123Subdomain(*group)...)
	}
	one, ref := s.DataSource, s.DataSourceRef
	if one != nil {
		source(at.Child("dataSource"), one.APIGroup, one.Kind, one.Name)
	}
	if ref == nil {
		return
	}
	source(at.Child("dataSourceRef"), ref.APIGroup, ref.Kind, ref.Name)
	elsewhere := ref.Namespace != nil && *ref.Namespace != ""
	if elsewhere {
		p.label(at.Child("dataSourceRef", "namespace"), *ref.Namespace)
	}
	switch {
	case one == nil:
	case elsewhere:
		p.invalid(at, at.Child("dataSource"), "may not be specified when dataSourceRef.namespace is specified")
	case !reflect.DeepEqual(one.APIGroup, ref.APIGroup) || one.Kind != ref.Kind || one.Name != ref.Name:
		p.invalid(at, at.Child("dataSource"), "must match dataSourceRef")
	}
}

// ValidateClaimUpdate checks a changed claim, and protects what it asks for, but for its binding, and the size and class of a bound one.
func ValidateClaimUpdate(c, old *corev1.PersistentVolumeClaim) field.ErrorList {
	var p problems
	p.join(ValidateClaim(c))
	at, is, was := field.NewPath("spec"), c.Spec.DeepCopy(), old.Spec.DeepCopy()
	if was.VolumeName == "" {
		was.VolumeName = is.VolumeName
	}
	p.classUpgrade(c, old, is)
	if c.Status.Phase == corev1.ClaimBound {
		if is.Resources.Requests != nil {
			is.Resources.Requests[corev1.ResourceStorage] = was.Resources.Requests[corev1.ResourceStorage]
		}
		is.VolumeAttributesClassName = was.VolumeAttributesClassName
	}
	if !apiequality.Semantic.DeepEqual(is, was) {
		p.forbidden(at, fmt.Sprintf("spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n%v", diff.Diff(rule.Internal(*was), rule.Internal(*is))))
	}
	newSize, oldSize, have := c.Spec.Resources.Requests[corev1.ResourceStorage], old.Spec.Resources.Requests[corev1.ResourceStorage], old.Status.Capacity[corev1.ResourceStorage]
	if newSize.Cmp(oldSize) < 0 && newSize.Cmp(have) <= 0 {
		p.forbidden(at.Child("resources", "requests", "storage"), "field can not be less than status.capacity")
	}
	p.join(apivalidation.ValidateImmutableField(c.Spec.VolumeMode, old.Spec.VolumeMode, field.NewPath("volumeMode")))
	if old.Status.CurrentVolumeAttributesClassName != nil && !samePtr(c.Spec.VolumeAttributesClassName, old.Spec.VolumeAttributesClassName) {
		switch at, class := at.Child("volumeAttributesClassName"), c.Spec.VolumeAttributesClassName; {
		case class == nil:
			p.forbidden(at, "update to nil is forbidden when status.currentVolumeAttributesClassName is not nil")
		case *class == "":
			p.forbidden(at, "update to empty string is forbidden when status.currentVolumeAttributesClassName is not nil")
		}
	}
	return p.list
}

// classUpgrade lets a claim without a class get one, and the annotation that was the class become the field. It takes an
// allowed change out of is.
func (p *problems) classUpgrade(c, old *corev1.PersistentVolumeClaim, is *corev1.PersistentVolumeClaimSpec) {
	const class = corev1.BetaStorageClassAnnotation
	was, noted := old.Annotations[class]
	note, stillNoted := c.Annotations[class]
	named := c.Spec.StorageClassName != nil && old.Spec.StorageClassName == nil
	moved := named && noted && *c.Spec.StorageClassName == was && (!stillNoted || note == was)
	if moved || named && !noted {
		is.StorageClassName = nil
	}
	if !moved && note != was {
		p.invalid(field.NewPath("metadata", "annotations", class), note, "field is immutable")
	}
}

// ValidateClaimStatusUpdate checks what controllers report of a claim.
func ValidateClaimStatusUpdate(c, _ *corev1.PersistentVolumeClaim) field.ErrorList {
	var p problems
	at := field.NewPath("status")
	if len(c.Spec.AccessModes) == 0 {
		p.required(field.NewPath("Spec", "accessModes"), "")
	}
	for name, q := range c.Status.Capacity {
		if q.Value() < 0 {
			p.invalid(at.Child("capacity").Key(string(name)), q.Value(), "must be a valid resource quantity")
		}
	}
	for name, status := range c.Status.AllocatedResourceStatuses {
		p.claimResource(at.Child("allocatedResourceStatuses"), name)
		if !slices.Contains(resizeStatuses, status) {
			p.list = append(p.list, field.NotSupported(at.Child("allocatedResourceStatuses"), name, resizeStatuses))
		}
	}
	for name, q := range c.Status.AllocatedResources {
		if at := at.Child("allocatedResources"); p.claimResource(at, name) && q.Value() < 0 {
			p.invalid(at.Key(string(name)), q.Value(), "must be a valid resource quantity")
		}
	}
	return p.list
}

var resizeStatuses = []corev1.ClaimResourceStatus{
	corev1.PersistentVolumeClaimControllerResizeInProgress, corev1.PersistentVolumeClaimControllerResizeInfeasible,
	corev1.PersistentVolumeClaimNodeResizeInProgress, corev1.PersistentVolumeClaimNodeResizeInfeasible, corev1.PersistentVolumeClaimNodeResizePending,
}

func (p *problems) claimResource(at *field.Path, name corev1.ResourceName) bool {
	messages := validation.IsQualifiedName(string(name))
	p.invalid(at, name, messages...)
	if len(messages) == 0 && IsNative(name) && name != corev1.ResourceStorage {
		p.list = append(p.list, field.NotSupported(at, name, []corev1.ResourceName{corev1.ResourceStorage}))
		return false
	}
	return len(messages) == 0
}
