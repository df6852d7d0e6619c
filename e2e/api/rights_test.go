package api

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/keyutil"

	"github.com/coracle-k8s/coracle/e2e/api/apitest"
)

// as is a client with a certificate for the user.
func as(t *testing.T, r *apitest.Running, name string, groups ...string) kubernetes.Interface {
	t.Helper()
	return kubernetes.NewForConfigOrDie(asConfig(t, r, name, groups...))
}

func asConfig(t *testing.T, r *apitest.Running, name string, groups ...string) *rest.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := r.PKI.CA.Sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: name, Organization: groups}, NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, key.Public(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	c := rest.AnonymousClientConfig(r.Config(t))
	c.CertData = cert
	if c.KeyData, err = keyutil.MarshalPrivateKeyToPEM(key); err != nil {
		t.Fatal(err)
	}
	return c
}

func withToken(t *testing.T, r *apitest.Running, token string) kubernetes.Interface {
	c := rest.AnonymousClientConfig(r.Config(t))
	c.BearerToken = token
	return kubernetes.NewForConfigOrDie(c)
}

// account makes a service account in namespace default.
func account(t *testing.T, r *apitest.Running, name string) *corev1.ServiceAccount {
	t.Helper()
	made, err := r.Client(t).CoreV1().ServiceAccounts("default").Create(apitest.Context(t), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func runningPod(t *testing.T, r *apitest.Running, name, node string, change func(*corev1.PodSpec)) *corev1.Pod {
	t.Helper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: "c", Image: "i"}}}}
	if change != nil {
		change(&pod.Spec)
	}
	made, err := r.Client(t).CoreV1().Pods("default").Create(apitest.Context(t), pod, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// soon waits for something that follows from a write: what decides on requests learns of writes by watching.
func soon(t *testing.T, what string, check func() error) {
	t.Helper()
	var last error
	err := wait.PollUntilContextCancel(apitest.Context(t), 10*time.Millisecond, true, func(context.Context) (bool, error) {
		last = check()
		return last == nil, nil
	})
	if err != nil {
		t.Errorf("%s: %v", what, last)
	}
}

// refused turns the error that is wanted into none.
func refused(err error, text string) error {
	if apierrors.IsForbidden(err) && strings.Contains(err.Error(), text) {
		return nil
	}
	return fmt.Errorf("not refused with %q: %w", text, cmp.Or(err, errors.New("allowed")))
}

func TestTokensLiveAsLongAsWhatTheyAreBoundTo(t *testing.T) {
	r := apitest.Shared(t)
	ctx, admin := apitest.Context(t), r.Client(t).CoreV1()
	giveServiceAccount(t, r.Client(t))
	pod := runningPod(t, r, "pod", "", nil)
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		BoundObjectRef: &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: "pod", UID: pod.UID}}}
	tokens := make([]string, 2)
	for i := range tokens {
		answer, err := admin.ServiceAccounts("default").CreateToken(ctx, "default", request, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		tokens[i] = answer.Status.Token
	}
	who, err := withToken(t, r, tokens[0]).AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if u := who.Status.UserInfo; u.Username != "system:serviceaccount:default:default" || u.Extra["authentication.kubernetes.io/pod-name"][0] != "pod" {
		t.Errorf("the token's user is %+v", u)
	}
	if err := admin.Pods("default").Delete(ctx, "pod", *metav1.NewDeleteOptions(0)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the token of a Pod that is gone is refused", func() bool {
		_, err := withToken(t, r, tokens[1]).Discovery().ServerVersion()
		return apierrors.IsUnauthorized(err)
	})
}

func TestNobodyGrantsWhatTheyDoNotHold(t *testing.T) {
	r := apitest.Shared(t)
	ctx, admin := apitest.Context(t), r.Client(t).RbacV1()
	_, err := admin.ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "jane"},
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "admin"}, Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "jane"}}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	jane := as(t, r, "jane").RbacV1()
	bind := func(name, role string) error {
		_, err := jane.RoleBindings("default").Create(ctx, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name},
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role}, Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "joe"}}}, metav1.CreateOptions{})
		return err
	}
	soon(t, "binding a role that jane holds", func() error { return bind("view", "view") })
	if err := refused(bind("root", "cluster-admin"), "not currently held"); err != nil {
		t.Errorf("binding a stronger role: %v", err)
	}
	joe := as(t, r, "joe").CoreV1()
	soon(t, "viewing", func() error {
		_, err := joe.Pods("default").List(ctx, metav1.ListOptions{})
		return err
	})
	if _, err := joe.Secrets("default").List(ctx, metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("joe sees Secrets: %v", err)
	}
}

func TestNodesSeeWhatTheirPodsNeed(t *testing.T) {
	r := apitest.Shared(t)
	ctx, admin := apitest.Context(t), r.Client(t).CoreV1()
	node := as(t, r, "system:node:one", "system:nodes").CoreV1()
	for _, name := range []string{"used", "other"} {
		if _, err := admin.Secrets("default").Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := node.Nodes().Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "two"}}, metav1.CreateOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("a node registers another: %v", err)
	}
	made, err := node.Nodes().Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "one"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(made.Spec.Taints) != 1 || made.Spec.Taints[0].Key != corev1.TaintNodeNotReady {
		t.Errorf("taints of a new node: %v", made.Spec.Taints)
	}
	giveServiceAccount(t, r.Client(t))
	runningPod(t, r, "mine", "one", func(s *corev1.PodSpec) { s.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "used"}} })
	runningPod(t, r, "theirs", "two", nil)
	soon(t, "the Secret of its Pod", func() error {
		_, err := node.Secrets("default").Get(ctx, "used", metav1.GetOptions{})
		return err
	})
	if _, err := node.Secrets("default").Get(ctx, "other", metav1.GetOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("another Secret: %v", err)
	}
	if _, err := node.Pods("").List(ctx, metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("all Pods: %v", err)
	}
	own, err := node.Pods("").List(ctx, metav1.ListOptions{FieldSelector: "spec.nodeName=one"})
	if err != nil || len(own.Items) != 1 {
		t.Errorf("its Pods: %d, %v", len(own.Items), err)
	}
	soon(t, "deleting another's Pod", func() error {
		return refused(node.Pods("default").Delete(ctx, "theirs", metav1.DeleteOptions{}), "can only delete pods with spec.nodeName set to itself")
	})
}

func TestLimitsAndQuotasHold(t *testing.T) {
	t.Parallel()
	r := apitest.Start(t)
	ctx, admin := apitest.Context(t), r.Client(t).CoreV1()
	account(t, r, "default")
	try := func(limits corev1.ResourceList) (*corev1.Pod, error) {
		return admin.Pods("default").Create(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "pod"}, Spec: corev1.PodSpec{Containers: []corev1.Container{
			{Name: "c", Image: "i", Resources: corev1.ResourceRequirements{Limits: limits}}}}}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	}
	if _, err := admin.LimitRanges("default").Create(ctx, &corev1.LimitRange{ObjectMeta: metav1.ObjectMeta{Name: "limits"}, Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{
		Type: corev1.LimitTypeContainer, Max: corev1.ResourceList{"cpu": resource.MustParse("1")}, Default: corev1.ResourceList{"cpu": resource.MustParse("500m")}}}}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	soon(t, "a Pod beyond the limit", func() error {
		_, err := try(corev1.ResourceList{"cpu": resource.MustParse("2")})
		return refused(err, "maximum cpu usage per Container is 1")
	})
	pod, err := try(nil)
	if err != nil {
		t.Fatal(err)
	}
	if limit := pod.Spec.Containers[0].Resources.Limits.Cpu().String(); limit != "500m" {
		t.Errorf("default limit %s", limit)
	}

	none := corev1.ResourceList{"pods": resource.MustParse("0")}
	quota, err := admin.ResourceQuotas("default").Create(ctx, &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "quota"}, Spec: corev1.ResourceQuotaSpec{Hard: none}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	quota.Status = corev1.ResourceQuotaStatus{Hard: none, Used: none}
	if _, err := admin.ResourceQuotas("default").UpdateStatus(ctx, quota, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	soon(t, "a Pod beyond the quota", func() error {
		_, err := try(nil)
		return refused(err, "exceeded quota: quota, requested: pods=1, used: pods=0, limited: pods=0")
	})
}
