package volumes

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

func projected(sources ...corev1.VolumeProjection) *corev1.Volume {
	return &corev1.Volume{Name: "v", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: sources}}}
}

func pemOf(words ...string) string {
	var all strings.Builder
	for _, w := range words {
		all.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte(w)}))
	}
	return all.String()
}

func bundle(name, signer, team, certificates string) *certificatesv1.ClusterTrustBundle {
	return &certificatesv1.ClusterTrustBundle{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"team": team}},
		Spec:       certificatesv1.ClusterTrustBundleSpec{SignerName: signer, TrustBundle: certificates},
	}
}

func TestTrustBundlesAreProjected(t *testing.T) {
	w := newWorld(t, t.TempDir(), fake.NewClientset(
		bundle("plain", "", "", pemOf("b", "a")), bundle("s:1", "s", "x", pemOf("a")), bundle("s:2", "s", "x", "text\n"+pemOf("c", "a")), bundle("s:3", "s", "y", pemOf("d"))))
	show := func(source corev1.ClusterTrustBundleProjection) (string, error) {
		source.Path = "dir/anchors.pem"
		shown, err := w.contents(t.Context(), newPod("p"), projected(corev1.VolumeProjection{ClusterTrustBundle: &source}))
		return string(shown.files["dir/anchors.pem"].data), err
	}
	for name, test := range map[string]struct {
		source corev1.ClusterTrustBundleProjection
		want   string
		fails  bool
	}{
		"by name":                  {source: corev1.ClusterTrustBundleProjection{Name: new("plain")}, want: pemOf("a", "b")},
		"a missing one":            {source: corev1.ClusterTrustBundleProjection{Name: new("none")}, fails: true},
		"one that may be missing":  {source: corev1.ClusterTrustBundleProjection{Name: new("none"), Optional: new(true)}},
		"by signer":                {source: corev1.ClusterTrustBundleProjection{SignerName: new("s"), LabelSelector: &metav1.LabelSelector{}}, want: pemOf("a", "c", "d")},
		"by signer and labels":     {source: corev1.ClusterTrustBundleProjection{SignerName: new("s"), LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "x"}}}, want: pemOf("a", "c")},
		"without a selector":       {source: corev1.ClusterTrustBundleProjection{SignerName: new("s")}, fails: true},
		"none, which may be":       {source: corev1.ClusterTrustBundleProjection{SignerName: new("s"), Optional: new(true)}},
		"of a signer without any":  {source: corev1.ClusterTrustBundleProjection{SignerName: new("t"), LabelSelector: &metav1.LabelSelector{}}, fails: true},
		"neither name nor signer":  {fails: true},
		"a name that has a signer": {source: corev1.ClusterTrustBundleProjection{Name: new("s:3")}, want: pemOf("d")},
	} {
		if got, err := show(test.source); got != test.want || (err != nil) != test.fails {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestPodsShowChangedTrustBundles(t *testing.T) {
	needRoot(t)
	w := newWorld(t, t.TempDir(), fake.NewClientset(bundle("b", "", "", pemOf("old"))))
	pod := newPod("p", *projected(corev1.VolumeProjection{ClusterTrustBundle: &corev1.ClusterTrustBundleProjection{Name: new("b"), Path: "ca"}}))
	if err := w.Mount(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	if _, err := w.client.CertificatesV1().ClusterTrustBundles().Update(t.Context(), bundle("b", "", "", pemOf("new")), metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the volume shows the new bundle", func() bool {
		shown, err := os.ReadFile(w.Dir("p", &pod.Spec.Volumes[0]) + "/ca")
		return err == nil && string(shown) == pemOf("new")
	})
}

// signs answers requests for certificates.
func signs(w *world, answer func(*certificatesv1.PodCertificateRequest)) (made *int) {
	made = new(int)
	w.client.PrependReactor("create", "podcertificaterequests", func(action clienttesting.Action) (bool, runtime.Object, error) {
		request := action.(clienttesting.CreateAction).GetObject().(*certificatesv1.PodCertificateRequest)
		*made++
		request.Name = request.GenerateName + strings.Repeat("x", *made)
		answer(request)
		return false, nil, nil
	})
	return made
}

func certificateWorld(t *testing.T) (*world, *corev1.Pod) {
	w := newWorld(t, t.TempDir(), fake.NewClientset(
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "default", UID: "account"}},
		&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "here", UID: "node"}}))
	pod := newPod("p")
	pod.Spec.NodeName = "here"
	return w, pod
}

func condition(request *certificatesv1.PodCertificateRequest, kind string) {
	request.Status.Conditions = []metav1.Condition{{Type: kind, Status: metav1.ConditionTrue, Reason: "R", Message: "m"}}
}

func TestPodsGetCertificates(t *testing.T) {
	w, pod := certificateWorld(t)
	refreshAt := time.Now().Add(-time.Hour)
	made := signs(w, func(request *certificatesv1.PodCertificateRequest) {
		if s := request.Spec; s.NodeUID != "node" || s.ServiceAccountUID != "account" || s.PodUID != "p" || s.SignerName != "example.com/s" {
			t.Errorf("asked for %+v", s)
		}
		if proof, err := x509.ParseCertificateRequest(request.Spec.StubPKCS10Request); err != nil || proof.CheckSignature() != nil {
			t.Errorf("proof: %v", err)
		}
		condition(request, certificatesv1.PodCertificateRequestConditionTypeIssued)
		request.Status.CertificateChain = "text\n" + pemOf("leaf", "ca")
		request.Status.BeginRefreshAt, request.Status.NotAfter = &metav1.Time{Time: refreshAt}, &metav1.Time{Time: time.Now().Add(time.Hour)}
	})
	for _, kind := range []string{"ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519", "RSA3072"} {
		volume := projected(corev1.VolumeProjection{PodCertificate: &corev1.PodCertificateProjection{
			SignerName: "example.com/s", KeyType: kind, CredentialBundlePath: "both", KeyPath: "key", CertificateChainPath: "chain",
		}})
		volume.Name = kind
		shown, err := w.contents(t.Context(), pod, volume)
		if err != nil {
			t.Fatal(err)
		}
		key, chain := shown.files["key"].data, shown.files["chain"].data
		if string(chain) != pemOf("leaf", "ca") || string(shown.files["both"].data) != string(key)+string(chain) {
			t.Errorf("%s: chain %s", kind, chain)
		}
		block, _ := pem.Decode(key)
		if block == nil || block.Type != "PRIVATE KEY" {
			t.Fatalf("%s: key %q", kind, key)
		}
		if _, err := x509.ParsePKCS8PrivateKey(block.Bytes); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		refreshAt = time.Now().Add(time.Minute) // of the next one
	}
	before := *made
	refreshAt = time.Now().Add(time.Hour)
	again := func(kind string) *contents {
		volume := projected(corev1.VolumeProjection{PodCertificate: &corev1.PodCertificateProjection{SignerName: "example.com/s", KeyType: kind, KeyPath: "key"}})
		volume.Name = kind
		shown, err := w.contents(t.Context(), pod, volume)
		if err != nil || shown.stale != nil {
			t.Fatal(err, shown.stale)
		}
		return shown
	}
	if again("RSA3072"); *made != before {
		t.Error("asked again for what is not due")
	}
	if shown := again("ECDSAP256"); *made != before+1 || time.Until(shown.due) < 50*time.Minute {
		t.Errorf("%d requests, due at %v: not renewed", *made-before, shown.due)
	}
}

func TestSignersMayRefuse(t *testing.T) {
	w, pod := certificateWorld(t)
	made := signs(w, func(request *certificatesv1.PodCertificateRequest) {
		condition(request, certificatesv1.PodCertificateRequestConditionTypeDenied)
	})
	volume := projected(corev1.VolumeProjection{PodCertificate: &corev1.PodCertificateProjection{SignerName: "s", KeyType: "ED25519", KeyPath: "key"}})
	for range 2 {
		if _, err := w.contents(t.Context(), pod, volume); err == nil || !strings.Contains(err.Error(), `denied: reason="R" message="m"`) {
			t.Errorf("got %v", err)
		}
	}
	if *made != 1 {
		t.Errorf("%d requests after the signer's no", *made)
	}
}

// later is what a signer does after it was asked: when the request is waited for.
func later(w *world, do func(name string)) {
	w.client.PrependWatchReactor("podcertificaterequests", func(action clienttesting.Action) (bool, watch.Interface, error) {
		events, err := w.client.Tracker().Watch(action.GetResource(), action.GetNamespace())
		name, _ := action.(clienttesting.WatchAction).GetWatchRestrictions().Fields.RequiresExactMatch("metadata.name")
		go do(name) // the fake holds its lock
		return true, events, err
	})
}

func certificateOf(signer string) *corev1.Volume {
	return projected(corev1.VolumeProjection{PodCertificate: &corev1.PodCertificateProjection{SignerName: signer, KeyType: "ED25519", KeyPath: "key"}})
}

func TestSignersMayTakeTheirTime(t *testing.T) {
	w, pod := certificateWorld(t)
	made := signs(w, func(*certificatesv1.PodCertificateRequest) {})
	requests := w.client.CertificatesV1().PodCertificateRequests("ns")
	later(w, func(name string) {
		request, err := requests.Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			t.Error(err)
			return
		}
		condition(request, certificatesv1.PodCertificateRequestConditionTypeFailed)
		if _, err := requests.UpdateStatus(t.Context(), request, metav1.UpdateOptions{}); err != nil {
			t.Error(err)
		}
	})
	_, err := w.contents(t.Context(), pod, certificateOf("s"))
	if err == nil || !strings.Contains(err.Error(), `failed: reason="R" message="m"`) {
		t.Errorf("got %v", err)
	}
	if told := w.told(); *made != 1 || len(told) != 1 || told[0] != "PodCertificateRequest ns/req-x: R: m" {
		t.Errorf("%d requests, Events %q", *made, told)
	}
}

func TestDeletedRequestsAreMadeAgain(t *testing.T) {
	w, pod := certificateWorld(t)
	made := signs(w, func(*certificatesv1.PodCertificateRequest) {})
	requests := w.client.CertificatesV1().PodCertificateRequests("ns")
	later(w, func(name string) {
		if err := requests.Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	for want := 1; want <= 2; want++ {
		if _, err := w.contents(t.Context(), pod, certificateOf("s")); err == nil || !strings.Contains(err.Error(), "is gone") || *made != want {
			t.Errorf("got %v after %d requests", err, *made)
		}
	}
}

func TestOverdueCertificatesAreToldOfOnce(t *testing.T) {
	issued := time.Now()
	for name, test := range map[string]struct {
		after time.Duration
		want  []string
	}{
		"due":     {after: time.Hour},
		"overdue": {after: time.Hour + overdueAfter, want: []string{"CertificateOverdueForRefresh"}},
		"expired": {after: 2 * time.Hour, want: []string{"CertificateOverdueForRefresh", "CertificateExpired"}},
	} {
		var told []string
		c := newCertificates(nil, func(_ *corev1.Pod, reason, _ string) { told = append(told, reason) })
		have := &certificate{renewAt: issued.Add(time.Hour), expires: issued.Add(2 * time.Hour)}
		for range 2 {
			c.tell(newPod("p"), have, issued.Add(test.after))
		}
		if !slices.Equal(told, test.want) {
			t.Errorf("%s: %v", name, told)
		}
	}
}

func TestStatesOfCertificates(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for want, s := range map[string]shown{
		"not_yet_issued":      {},
		"denied":              {denied: true, refused: true},
		"failed":              {refused: true},
		"fresh":               {issued: true, renewAt: now.Add(-time.Minute), expires: now.Add(time.Hour)},
		"overdue_for_refresh": {issued: true, renewAt: now.Add(-time.Hour), expires: now.Add(time.Hour)},
		"expired":             {issued: true, renewAt: now.Add(-2 * time.Hour), expires: now.Add(-time.Hour)},
	} {
		if got := s.state(now); got != want {
			t.Errorf("%+v is %s, want %s", s, got, want)
		}
	}
}
