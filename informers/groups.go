package informers

import (
	"k8s.io/client-go/informers/admissionregistration"
	admissionregistrationv1 "k8s.io/client-go/informers/admissionregistration/v1"
	"k8s.io/client-go/informers/apps"
	appsv1 "k8s.io/client-go/informers/apps/v1"
	"k8s.io/client-go/informers/certificates"
	certificatesv1 "k8s.io/client-go/informers/certificates/v1"
	"k8s.io/client-go/informers/core"
	corev1 "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/informers/discovery"
	discoveryv1 "k8s.io/client-go/informers/discovery/v1"
	"k8s.io/client-go/informers/flowcontrol"
	flowcontrolv1 "k8s.io/client-go/informers/flowcontrol/v1"
	"k8s.io/client-go/informers/networking"
	networkingv1 "k8s.io/client-go/informers/networking/v1"
	"k8s.io/client-go/informers/node"
	nodev1 "k8s.io/client-go/informers/node/v1"
	"k8s.io/client-go/informers/policy"
	policyv1 "k8s.io/client-go/informers/policy/v1"
	"k8s.io/client-go/informers/rbac"
	rbacv1 "k8s.io/client-go/informers/rbac/v1"
	"k8s.io/client-go/informers/resource"
	resourcev1 "k8s.io/client-go/informers/resource/v1"
	"k8s.io/client-go/informers/scheduling"
	schedulingv1 "k8s.io/client-go/informers/scheduling/v1"
	"k8s.io/client-go/informers/storage"
	storagev1 "k8s.io/client-go/informers/storage/v1"
)

// Of each group there is version 1, and nothing else is asked for.
type (
	admissionregistrationGroup struct {
		admissionregistration.Interface
		f *factory
	}
	appsGroup struct {
		apps.Interface
		f *factory
	}
	certificatesGroup struct {
		certificates.Interface
		f *factory
	}
	coreGroup struct {
		core.Interface
		f *factory
	}
	discoveryGroup struct {
		discovery.Interface
		f *factory
	}
	flowcontrolGroup struct {
		flowcontrol.Interface
		f *factory
	}
	networkingGroup struct {
		networking.Interface
		f *factory
	}
	nodeGroup struct {
		node.Interface
		f *factory
	}
	policyGroup struct {
		policy.Interface
		f *factory
	}
	rbacGroup struct {
		rbac.Interface
		f *factory
	}
	resourceGroup struct {
		resource.Interface
		f *factory
	}
	schedulingGroup struct {
		scheduling.Interface
		f *factory
	}
	storageGroup struct {
		storage.Interface
		f *factory
	}
)

func (f *factory) Admissionregistration() admissionregistration.Interface {
	return admissionregistrationGroup{f: f}
}
func (f *factory) Apps() apps.Interface                 { return appsGroup{f: f} }
func (f *factory) Certificates() certificates.Interface { return certificatesGroup{f: f} }
func (f *factory) Core() core.Interface                 { return coreGroup{f: f} }
func (f *factory) Discovery() discovery.Interface       { return discoveryGroup{f: f} }
func (f *factory) Flowcontrol() flowcontrol.Interface   { return flowcontrolGroup{f: f} }
func (f *factory) Networking() networking.Interface     { return networkingGroup{f: f} }
func (f *factory) Node() node.Interface                 { return nodeGroup{f: f} }
func (f *factory) Policy() policy.Interface             { return policyGroup{f: f} }
func (f *factory) Rbac() rbac.Interface                 { return rbacGroup{f: f} }
func (f *factory) Resource() resource.Interface         { return resourceGroup{f: f} }
func (f *factory) Scheduling() scheduling.Interface     { return schedulingGroup{f: f} }
func (f *factory) Storage() storage.Interface           { return storageGroup{f: f} }

func (g admissionregistrationGroup) V1() admissionregistrationv1.Interface {
	return admissionregistrationv1.New(g.f, "", nil)
}
func (g appsGroup) V1() appsv1.Interface                 { return appsv1.New(g.f, "", nil) }
func (g certificatesGroup) V1() certificatesv1.Interface { return certificatesv1.New(g.f, "", nil) }
func (g coreGroup) V1() corev1.Interface                 { return corev1.New(g.f, "", nil) }
func (g discoveryGroup) V1() discoveryv1.Interface       { return discoveryv1.New(g.f, "", nil) }
func (g flowcontrolGroup) V1() flowcontrolv1.Interface   { return flowcontrolv1.New(g.f, "", nil) }
func (g networkingGroup) V1() networkingv1.Interface     { return networkingv1.New(g.f, "", nil) }
func (g nodeGroup) V1() nodev1.Interface                 { return nodev1.New(g.f, "", nil) }
func (g policyGroup) V1() policyv1.Interface             { return policyv1.New(g.f, "", nil) }
func (g rbacGroup) V1() rbacv1.Interface                 { return rbacv1.New(g.f, "", nil) }
func (g resourceGroup) V1() resourcev1.Interface         { return resourcev1.New(g.f, "", nil) }
func (g schedulingGroup) V1() schedulingv1.Interface     { return schedulingv1.New(g.f, "", nil) }
func (g storageGroup) V1() storagev1.Interface           { return storagev1.New(g.f, "", nil) }
