package peer

import (
	"context"
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
)

// The token of nodes that join.
const tokenID, tokenSecret = "bench0", "0123456789abcdef"

const corefile = `.:53 {
    errors
    health
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure
        ttl 30
    }
    cache 30
    reload
}
`

// create creates what kubeadm adds to a cluster: the token, the rights of those who have it, and CoreDNS.
func create(ctx context.Context, client kubernetes.Interface) error {
	none := metav1.CreateOptions{}
	core, rbac := client.CoreV1(), client.RbacV1()
	_, secret := core.Secrets(metav1.NamespaceSystem).Create(ctx, tokenOfNodes(), none)
	errs := []error{secret}
	for _, b := range []*rbacv1.ClusterRoleBinding{
		binding("bench:join", "system:node-bootstrapper", rbacv1.GroupKind, "system:bootstrappers"),
		binding("bench:approve", "system:certificates.k8s.io:certificatesigningrequests:nodeclient", rbacv1.GroupKind, "system:bootstrappers"),
		binding("system:coredns", "system:coredns", rbacv1.ServiceAccountKind, dnsName),
	} {
		_, err := rbac.ClusterRoleBindings().Create(ctx, b, none)
		errs = append(errs, err)
	}
	_, role := rbac.ClusterRoles().Create(ctx, dnsRole(), none)
	_, account := core.ServiceAccounts(metav1.NamespaceSystem).Create(ctx, &corev1.ServiceAccount{ObjectMeta: dnsMeta()}, none)
	_, config := core.ConfigMaps(metav1.NamespaceSystem).Create(ctx, &corev1.ConfigMap{ObjectMeta: dnsMeta(), Data: map[string]string{"Corefile": corefile}}, none)
	_, service := core.Services(metav1.NamespaceSystem).Create(ctx, dnsService(), none)
	_, deployment := client.AppsV1().Deployments(metav1.NamespaceSystem).Create(ctx, dnsDeployment(), none)
	return errors.Join(append(errs, role, account, config, service, deployment)...)
}

func tokenOfNodes() *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "bootstrap-token-" + tokenID},
		Type:       corev1.SecretTypeBootstrapToken,
		StringData: map[string]string{"token-id": tokenID, "token-secret": tokenSecret, "usage-bootstrap-authentication": "true"},
	}
}

func binding(name, role, kind, subject string) *rbacv1.ClusterRoleBinding {
	s := rbacv1.Subject{Kind: kind, Name: subject}
	if kind == rbacv1.ServiceAccountKind {
		s.Namespace = metav1.NamespaceSystem
	} else {
		s.APIGroup = rbacv1.GroupName
	}
	return &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Subjects: []rbacv1.Subject{s},
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
	}
}

const dnsName = "coredns"

func dnsMeta() metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: dnsName, Labels: map[string]string{"k8s-app": "kube-dns"}}
}

func dnsRole() *rbacv1.ClusterRole {
	watch := []string{"list", "watch"}
	return &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "system:coredns"}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"services", "pods", "namespaces"}, Verbs: watch},
		{APIGroups: []string{"discovery.k8s.io"}, Resources: []string{"endpointslices"}, Verbs: watch},
	}}
}

func dnsService() *corev1.Service {
	meta := dnsMeta()
	meta.Name = "kube-dns"
	return &corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{
		ClusterIP: dnsIP, Selector: meta.Labels,
		Ports: []corev1.ServicePort{{Name: "dns", Port: 53, Protocol: corev1.ProtocolUDP}, {Name: "dns-tcp", Port: 53, Protocol: corev1.ProtocolTCP}},
	}}
}

func dnsDeployment() *appsv1.Deployment {
	meta := dnsMeta()
	return &appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{
		Selector: &metav1.LabelSelector{MatchLabels: meta.Labels},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: meta.Labels}, Spec: corev1.PodSpec{
			ServiceAccountName: dnsName, DNSPolicy: corev1.DNSDefault, PriorityClassName: "system-cluster-critical",
			Containers: []corev1.Container{{
				Name: dnsName, Image: dnsImage, ImagePullPolicy: corev1.PullNever, Args: []string{"-conf", "/etc/coredns/Corefile"},
				ReadinessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/ready", Port: intstr.FromInt32(8181)}}},
				VolumeMounts:   []corev1.VolumeMount{{Name: "config", MountPath: "/etc/coredns"}},
			}},
			Volumes: []corev1.Volume{{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: dnsName}}}}},
		}},
	}}
}

// dnsReady returns when CoreDNS is ready.
func dnsReady(ctx context.Context, client kubernetes.Interface) error {
	w, err := client.AppsV1().Deployments(metav1.NamespaceSystem).Watch(ctx, metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", dnsName).String()})
	if err != nil {
		return err
	}
	defer w.Stop()
	for e := range w.ResultChan() {
		if d, ok := e.Object.(*appsv1.Deployment); ok && d.Status.ReadyReplicas == 1 {
			return nil
		}
	}
	return fmt.Errorf("waiting until CoreDNS is ready: the watch ended: %w", context.Cause(ctx))
}
