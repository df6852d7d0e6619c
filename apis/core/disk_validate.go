package core

import (
	"net"
	"path"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Disks and shares that pods and persistent volumes name alike.

const iscsiTooLong = "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified."

// iscsiNames are the three forms of names, by their prefix.
var iscsiNames = map[string]*regexp.Regexp{
	"iqn": regexp.MustCompile(`iqn\.\d{4}-\d{2}\.([[:alnum:]-.]+)(:[^,;*&$|\s]+)$`),
	"eui": regexp.MustCompile(`^eui.[[:alnum:]]{16}$`),
	"naa": regexp.MustCompile(`^naa.[[:alnum:]]{32}$`),
}

func (p *problems) iscsi(at *field.Path, s *corev1.ISCSIVolumeSource) {
	p.need(at.Child("targetPortal"), s.TargetPortal)
	p.iscsiRest(at, s.IQN, s.Lun, (s.DiscoveryCHAPAuth || s.SessionCHAPAuth) && s.SecretRef == nil, "must be valid format starting with iqn, eui, or naa")
	if s.InitiatorName != nil {
		p.iscsiName(at.Child("initiatorname"), *s.InitiatorName, "must be valid format starting with iqn, eui, or naa")
	}
}

func (p *problems) iscsiRest(at *field.Path, iqn string, lun int32, lacksSecret bool, otherwise string) {
	if p.need(at.Child("iqn"), iqn) {
		p.iscsiName(at.Child("iqn"), iqn, otherwise)
	}
	if lun < 0 || lun > 255 {
		p.invalid(at.Child("lun"), lun, validation.InclusiveRangeError(0, 255))
	}
	if lacksSecret {
		p.required(at.Child("secretRef"), "")
	}
}

func (p *problems) iscsiName(at *field.Path, name, otherwise string) {
	form, ok := iscsiNames[name[:min(len(name), 3)]]
	switch {
	case !ok:
		p.invalid(at, name, otherwise)
	case !form.MatchString(name):
		p.invalid(at, name, "must be valid format")
	}
}

func (p *problems) cloudDisks(one *oneSource, at *field.Path, gce *corev1.GCEPersistentDiskVolumeSource, aws *corev1.AWSElasticBlockStoreVolumeSource) {
	partition := func(at *field.Path, n int32) {
		if n < 0 || n > 255 {
			p.invalid(at.Child("partition"), n, validation.InclusiveRangeError(1, 255))
		}
	}
	if one.first(at, "gcePersistentDisk", gce != nil) {
		at := at.Child("persistentDisk")
		p.need(at.Child("pdName"), gce.PDName)
		partition(at, gce.Partition)
	}
	if one.first(at, "awsElasticBlockStore", aws != nil) {
		at := at.Child("awsElasticBlockStore")
		p.need(at.Child("volumeID"), aws.VolumeID)
		partition(at, aws.Partition)
	}
}

func (p *problems) oldDisks(one *oneSource, at *field.Path, vsphere *corev1.VsphereVirtualDiskVolumeSource, photon *corev1.PhotonPersistentDiskVolumeSource, portworx *corev1.PortworxVolumeSource, azure *corev1.AzureDiskVolumeSource) {
	if one.first(at, "vsphereVolume", vsphere != nil) {
		at := at.Child("vsphereVolume")
		p.need(at.Child("volumePath"), vsphere.VolumePath)
	}
	if one.first(at, "photonPersistentDisk", photon != nil) {
		at := at.Child("photonPersistentDisk")
		p.need(at.Child("pdID"), photon.PdID)
	}
	if one.first(at, "portworxVolume", portworx != nil) {
		at := at.Child("portworxVolume")
		p.need(at.Child("volumeID"), portworx.VolumeID)
	}
	if one.first(at, "azureDisk", azure != nil) {
		at := at.Child("azureDisk")
		p.azureDisk(at, azure)
	}
}

func (p *problems) azureDisk(at *field.Path, d *corev1.AzureDiskVolumeSource) {
	p.need(at.Child("diskName"), d.DiskName)
	p.need(at.Child("diskURI"), d.DataDiskURI)
	if d.CachingMode != nil {
		oneOf(p, at.Child("cachingMode"), *d.CachingMode, corev1.AzureDataDiskCachingNone, corev1.AzureDataDiskCachingReadOnly, corev1.AzureDataDiskCachingReadWrite)
	}
	if d.Kind == nil {
		return
	}
	oneOf(p, at.Child("kind"), *d.Kind, corev1.AzureDedicatedBlobDisk, corev1.AzureManagedDisk, corev1.AzureSharedBlobDisk)
	switch managed := *d.Kind == corev1.AzureManagedDisk; {
	case managed && !strings.HasPrefix(d.DataDiskURI, "/subscriptions/"):
		oneOf(p, at.Child("diskURI"), d.DataDiskURI, "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}")
	case !managed && !strings.HasPrefix(d.DataDiskURI, "https://"):
		oneOf(p, at.Child("diskURI"), d.DataDiskURI, "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd")
	}
}

func (p *problems) nfs(at *field.Path, s *corev1.NFSVolumeSource) {
	p.need(at.Child("server"), s.Server)
	p.need(at.Child("path"), s.Path)
	if !path.IsAbs(s.Path) {
		p.invalid(at.Child("path"), s.Path, "must be an absolute path")
	}
}

func (p *problems) flocker(at *field.Path, s *corev1.FlockerVolumeSource) {
	switch name, uuid := s.DatasetName != "", s.DatasetUUID != ""; {
	case !name && !uuid:
		p.required(at, "one of datasetName and datasetUUID is required")
	case name && uuid:
		p.invalid(at, "resource", "datasetName and datasetUUID can not be specified simultaneously")
	}
	if strings.Contains(s.DatasetName, "/") {
		p.invalid(at.Child("datasetName"), s.DatasetName, "must not contain '/'")
	}
}

func (p *problems) ceph(at *field.Path, monitors []string) {
	if len(monitors) == 0 {
		p.required(at.Child("monitors"), "")
	}
}

func (p *problems) quobyte(at *field.Path, s *corev1.QuobyteVolumeSource) {
	const pairs = "must be a host:port pair or multiple pairs separated by commas"
	switch {
	case s.Registry == "":
		p.required(at.Child("registry"), pairs)
	case len(s.Tenant) >= 65:
		p.required(at.Child("tenant"), "must be a UUID and may not exceed a length of 64 characters")
	default:
		for _, pair := range strings.Split(s.Registry, ",") {
			if _, _, err := net.SplitHostPort(pair); err != nil {
				p.invalid(at.Child("registry"), s.Registry, pairs)
			}
		}
	}
	p.need(at.Child("volume"), s.Volume)
}

func (p *problems) fibreChannel(at *field.Path, s *corev1.FCVolumeSource) {
	names, ids := len(s.TargetWWNs) > 0, len(s.WWIDs) > 0
	if !names && !ids {
		p.required(at.Child("targetWWNs"), "must specify either targetWWNs or wwids, but not both")
	}
	if names && ids {
		p.invalid(at.Child("targetWWNs"), s.TargetWWNs, "targetWWNs and wwids can not be specified simultaneously")
	}
	switch {
	case names && s.Lun == nil:
		p.required(at.Child("lun"), "lun is required if targetWWNs is specified")
	case names && (*s.Lun < 0 || *s.Lun > 255):
		p.invalid(at.Child("lun"), s.Lun, validation.InclusiveRangeError(0, 255))
	}
}

func (p *problems) flex(at *field.Path, driver string, options map[string]string) {
	p.need(at.Child("driver"), driver)
	for option := range options {
		domain, _, _ := strings.Cut(option, "/")
		if domain = "." + strings.ToLower(domain); strings.HasSuffix(domain, ".kubernetes.io") || strings.HasSuffix(domain, ".k8s.io") {
			p.invalid(at.Child("options").Key(option), option, "kubernetes.io and k8s.io namespaces are reserved")
		}
	}
}

func (p *problems) storageOS(at *field.Path, name, namespace string) {
	if p.need(at.Child("volumeName"), name) {
		p.label(at.Child("volumeName"), name)
	}
	if namespace != "" {
		p.label(at.Child("volumeNamespace"), namespace)
	}
}

func (p *problems) scaleIO(at *field.Path, gateway, system, volume string) {
	p.need(at.Child("gateway"), gateway)
	p.need(at.Child("system"), system)
	p.need(at.Child("volumeName"), volume)
}

// driver checks the name of a CSI driver.
func (p *problems) driver(at *field.Path, name string) {
	if !p.need(at, name) {
		return
	}
	if len(name) > 63 {
		p.list = append(p.list, field.TooLong(at, "", 63))
	}
	p.invalid(at, name, validation.IsDNS1123Subdomain(strings.ToLower(name))...)
}
