package serviceaccount

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
)

const issuer = "https://kubernetes.default.svc.cluster.local"

func named(namespace, name string, uid types.UID) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name, UID: uid}
}

func account() *corev1.ServiceAccount {
	return &corev1.ServiceAccount{ObjectMeta: named("ns", "web", "account-uid")}
}

func world() []runtime.Object {
	return []runtime.Object{
		account(),
		&corev1.Pod{ObjectMeta: named("ns", "pod", "pod-uid"), Spec: corev1.PodSpec{ServiceAccountName: "web", NodeName: "node"}},
		&corev1.Pod{ObjectMeta: named("ns", "lost", "lost-uid"), Spec: corev1.PodSpec{ServiceAccountName: "web", NodeName: "gone"}},
		&corev1.Pod{ObjectMeta: named("ns", "other", "other-uid"), Spec: corev1.PodSpec{ServiceAccountName: "default"}},
		&corev1.Secret{ObjectMeta: named("ns", "secret", "secret-uid")},
		&corev1.Node{ObjectMeta: named("", "node", "node-uid")},
	}
}

func ecKey(t testing.TB) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// tokens of a world of objects; the clock stands still at *now.
func tokens(t testing.TB, key crypto.Signer, now *time.Time, objects ...runtime.Object) *Tokens {
	all := Live(fake.NewClientset(objects...))
	issuer, err := New(Config{Issuer: issuer, Signer: key, Known: all, Current: all, Now: func() time.Time { return *now }})
	if err != nil {
		t.Fatal(err)
	}
	return issuer
}

func issue(t testing.TB, tk *Tokens, spec authenticationv1.TokenRequestSpec) *authenticationv1.TokenRequest {
	t.Helper()
	request := &authenticationv1.TokenRequest{Spec: spec}
	if err := tk.Prepare(account(), request); err != nil {
		t.Fatal(err)
	}
	answer, err := tk.Issue(context.Background(), account(), request)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func bound(kind, name string) *authenticationv1.BoundObjectReference {
	return &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: kind, Name: name}
}

func TestTokenNamesAccountPodAndNode(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]crypto.Signer{"ECDSA": ecKey(t), "RSA": rsaKey} {
		t.Run(name, func(t *testing.T) {
			now := time.Now()
			tk := tokens(t, key, &now, world()...)
			answer := issue(t, tk, authenticationv1.TokenRequestSpec{BoundObjectRef: bound("Pod", "pod")})
			got, ok, err := tk.AuthenticateToken(context.Background(), answer.Status.Token)
			if !ok || err != nil {
				t.Fatalf("refused: %v", err)
			}
			if got.User.GetName() != "system:serviceaccount:ns:web" || got.User.GetUID() != "account-uid" {
				t.Errorf("user %s, uid %s", got.User.GetName(), got.User.GetUID())
			}
			extra := got.User.GetExtra()
			for key, want := range map[string]string{
				"authentication.kubernetes.io/pod-name": "pod", "authentication.kubernetes.io/pod-uid": "pod-uid",
				"authentication.kubernetes.io/node-name": "node", "authentication.kubernetes.io/node-uid": "node-uid",
			} {
				if len(extra[key]) != 1 || extra[key][0] != want {
					t.Errorf("%s is %v, want %s", key, extra[key], want)
				}
			}
			if id := extra["authentication.kubernetes.io/credential-id"]; len(id) != 1 || !strings.HasPrefix(id[0], "JTI=") {
				t.Errorf("credential id %v", id)
			}
		})
	}
}

func TestTokenIsRefused(t *testing.T) {
	now := time.Now()
	key := ecKey(t)
	podToken := issue(t, tokens(t, key, &now, world()...), authenticationv1.TokenRequestSpec{BoundObjectRef: bound("Pod", "pod")}).Status.Token
	without := func(drop string, replace ...runtime.Object) []runtime.Object {
		var kept []runtime.Object
		for _, obj := range world() {
			if obj.(metav1.Object).GetName() != drop {
				kept = append(kept, obj)
			}
		}
		return append(kept, replace...)
	}
	deleted := &corev1.Pod{ObjectMeta: named("ns", "pod", "pod-uid")}
	deleted.DeletionTimestamp, deleted.Finalizers = &metav1.Time{Time: now.Add(-2 * time.Minute)}, []string{"f/f"}
	for name, test := range map[string]struct {
		objects   []runtime.Object
		key       *ecdsa.PrivateKey
		later     time.Duration
		audiences authenticator.Audiences
		ok        bool
	}{
		"while all is well":         {objects: world(), ok: true},
		"when its pod is gone":      {objects: without("pod")},
		"when its pod is another":   {objects: without("pod", &corev1.Pod{ObjectMeta: named("ns", "pod", "new")})},
		"when its pod is overdue":   {objects: without("pod", deleted)},
		"when its account is gone":  {objects: without("web")},
		"when its account is new":   {objects: without("web", &corev1.ServiceAccount{ObjectMeta: named("ns", "web", "new")})},
		"not when its node is gone": {objects: without("node"), ok: true},
		"by another key":            {objects: world(), key: ecKey(t)},
		"after an hour":             {objects: world(), later: time.Hour + 2*time.Minute},
		"not within the leeway":     {objects: world(), later: time.Hour + 30*time.Second, ok: true},
		"before it begins":          {objects: world(), later: -2 * time.Minute},
		"for another audience":      {objects: world(), audiences: authenticator.Audiences{"vault"}},
		"not for one of two":        {objects: world(), audiences: authenticator.Audiences{"vault", issuer}, ok: true},
	} {
		t.Run(name, func(t *testing.T) {
			verifying := key
			if test.key != nil {
				verifying = test.key
			}
			at := now.Add(test.later)
			ctx := context.Background()
			if test.audiences != nil {
				ctx = authenticator.WithAudiences(ctx, test.audiences)
			}
			_, ok, err := tokens(t, verifying, &at, test.objects...).AuthenticateToken(ctx, podToken)
			if ok != test.ok {
				t.Errorf("accepted: %v (%v), want %v", ok, err, test.ok)
			}
		})
	}
}

func TestForgeriesAreRefused(t *testing.T) {
	now := time.Now()
	key := ecKey(t)
	tk := tokens(t, key, &now, world()...)
	good := issue(t, tk, authenticationv1.TokenRequestSpec{}).Status.Token
	c := &claims{RegisteredClaims: jwt.RegisteredClaims{Issuer: issuer, Subject: "system:serviceaccount:ns:web", ExpiresAt: after(now, 600)},
		Kubernetes: &private{Namespace: "ns", Account: *refTo(account())}}
	unsigned, err := jwt.NewWithClaims(jwt.SigningMethodNone, c).SignedString(jwt.UnsafeAllowNoneSignatureType)
	if err != nil {
		t.Fatal(err)
	}
	der := tk.keys.own.id
	hmac, err := jwt.NewWithClaims(jwt.SigningMethodHS256, c).SignedString([]byte(der))
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(good, ".")
	for name, token := range map[string]string{
		"unsigned": unsigned, "signed with a public value": hmac, "cut": parts[0] + "." + parts[1] + ".",
		"changed": parts[0] + "." + strings.Split(unsigned, ".")[1] + "." + parts[2],
	} {
		if _, ok, _ := tk.AuthenticateToken(context.Background(), token); ok {
			t.Errorf("%s token is accepted", name)
		}
	}
	for _, token := range []string{"", "abc", "a.b.c", "abcdef.0123456789abcdef"} {
		if _, ok, err := tk.AuthenticateToken(context.Background(), token); ok || err != nil {
			t.Errorf("%q is not left to other authenticators: %v, %v", token, ok, err)
		}
	}
}

func TestTokenOfSecret(t *testing.T) {
	now := time.Now()
	key := ecKey(t)
	secret := &corev1.Secret{ObjectMeta: named("ns", "legacy", "uid"), Data: map[string][]byte{}}
	token, err := tokens(t, key, &now).ForSecret(account(), secret)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		change func(s *corev1.Secret)
		ok     bool
	}{
		"kept in its secret": {func(s *corev1.Secret) {}, true},
		"replaced":           {func(s *corev1.Secret) { s.Data["token"] = []byte("other") }, false},
		"marked as invalid":  {func(s *corev1.Secret) { s.Labels = map[string]string{invalidSince: "2030-01-01"} }, false},
		"of another secret":  {func(s *corev1.Secret) { s.Name = "other" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := secret.DeepCopy()
			s.Data["token"] = []byte(token)
			test.change(s)
			got, ok, err := tokens(t, key, &now, append(world(), s)...).AuthenticateToken(context.Background(), token)
			if ok != test.ok {
				t.Fatalf("accepted: %v (%v)", ok, err)
			}
			if ok && got.User.GetName() != "system:serviceaccount:ns:web" {
				t.Errorf("user %s", got.User.GetName())
			}
		})
	}
}

func TestRequests(t *testing.T) {
	now := time.Now()
	tk := tokens(t, ecKey(t), &now, world()...)
	seconds := func(s int64) *int64 { return &s }
	for name, test := range map[string]struct {
		meta metav1.ObjectMeta
		spec authenticationv1.TokenRequestSpec
		want func(error) bool
	}{
		"short":                  {spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: seconds(599)}, want: apierrors.IsInvalid},
		"endless":                {spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: seconds(1<<32 + 1)}, want: apierrors.IsInvalid},
		"for another account":    {meta: metav1.ObjectMeta{Name: "other"}, want: apierrors.IsInvalid},
		"in another namespace":   {meta: metav1.ObjectMeta{Namespace: "other"}, want: apierrors.IsInvalid},
		"for an earlier account": {meta: metav1.ObjectMeta{UID: "old"}, want: apierrors.IsConflict},
		"for a missing pod":      {spec: authenticationv1.TokenRequestSpec{BoundObjectRef: bound("Pod", "none")}, want: apierrors.IsNotFound},
		"for a foreign pod":      {spec: authenticationv1.TokenRequestSpec{BoundObjectRef: bound("Pod", "other")}, want: apierrors.IsBadRequest},
		"for a Service":          {spec: authenticationv1.TokenRequestSpec{BoundObjectRef: bound("Service", "s")}, want: apierrors.IsBadRequest},
		"for an earlier secret": {spec: authenticationv1.TokenRequestSpec{BoundObjectRef: &authenticationv1.BoundObjectReference{
			APIVersion: "v1", Kind: "Secret", Name: "secret", UID: "old"}}, want: apierrors.IsConflict},
	} {
		t.Run(name, func(t *testing.T) {
			request := &authenticationv1.TokenRequest{ObjectMeta: test.meta, Spec: test.spec}
			err := tk.Prepare(account(), request)
			if err == nil {
				_, err = tk.Issue(context.Background(), account(), request)
			}
			if !test.want(err) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestAnswer(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	tk := tokens(t, ecKey(t), &now, world()...)
	life := int64(warnLife)
	for name, test := range map[string]struct {
		spec     authenticationv1.TokenRequestSpec
		says     time.Duration
		lives    time.Duration
		audience string
		node     *ref
	}{
		"defaults":                 {says: time.Hour, lives: time.Hour, audience: issuer},
		"kubelet's for a pod":      {spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &life, BoundObjectRef: bound("Pod", "pod")}, says: warnLife * time.Second, lives: extendedLife * time.Second, audience: issuer, node: &ref{"node", "node-uid"}},
		"for others, not extended": {spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &life, Audiences: []string{"vault"}, BoundObjectRef: bound("Pod", "pod")}, says: warnLife * time.Second, lives: warnLife * time.Second, audience: "vault", node: &ref{"node", "node-uid"}},
		"of a pod without node":    {spec: authenticationv1.TokenRequestSpec{BoundObjectRef: bound("Pod", "lost")}, says: time.Hour, lives: time.Hour, audience: issuer, node: &ref{Name: "gone"}},
		"bound to a node":          {spec: authenticationv1.TokenRequestSpec{BoundObjectRef: bound("Node", "node")}, says: time.Hour, lives: time.Hour, audience: issuer, node: &ref{"node", "node-uid"}},
	} {
		t.Run(name, func(t *testing.T) {
			answer := issue(t, tk, test.spec)
			if says := answer.Status.ExpirationTimestamp.Sub(now); says != test.says {
				t.Errorf("says it lives %s, want %s", says, test.says)
			}
			c, _, err := tk.keys.parse(answer.Status.Token, []string{issuer})
			if err != nil {
				t.Fatal(err)
			}
			if lives := c.ExpiresAt.Sub(now); lives != test.lives {
				t.Errorf("lives %s, want %s", lives, test.lives)
			}
			if (c.Kubernetes.WarnAfter != nil) != (test.says != test.lives) {
				t.Errorf("warnafter %v", c.Kubernetes.WarnAfter)
			}
			if len(c.Audience) != 1 || c.Audience[0] != test.audience {
				t.Errorf("audience %v, want %s", c.Audience, test.audience)
			}
			if n := c.Kubernetes.Node; (n == nil) != (test.node == nil) || n != nil && *n != *test.node {
				t.Errorf("node %v, want %v", n, test.node)
			}
		})
	}
}

func TestDiscovery(t *testing.T) {
	now := time.Now()
	old := ecKey(t)
	signer := ecKey(t)
	tk, err := New(Config{Issuer: issuer, Signer: signer, Public: []crypto.PublicKey{signer.Public(), old.Public()}, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	get := func(path string, into any) {
		w := httptest.NewRecorder()
		for _, d := range tk.Discovery("192.0.2.1:6443") {
			if d.Path == path {
				d.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
			}
		}
		if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	var config configuration
	get(ConfigurationPath, &config)
	if config.Issuer != issuer || config.KeySet != "https://192.0.2.1:6443/openid/v1/jwks" || len(config.Algorithms) != 1 || config.Algorithms[0] != "ES256" {
		t.Errorf("configuration %+v", config)
	}
	var set struct{ Keys []webKey }
	get(KeySetPath, &set)
	if len(set.Keys) != 2 || set.Keys[0].ID != tk.keys.own.id || len(set.Keys[0].X) != 43 || len(set.Keys[0].Y) != 43 {
		t.Errorf("key set %+v", set.Keys)
	}
}

func TestWhatIsKnownMayBeBehind(t *testing.T) {
	now, key := time.Now(), ecKey(t)
	secret := &corev1.Secret{ObjectMeta: named("ns", "legacy", "uid"), Data: map[string][]byte{}}
	legacy, err := tokens(t, key, &now).ForSecret(account(), secret)
	if err != nil {
		t.Fatal(err)
	}
	filled := secret.DeepCopy()
	filled.Data["token"] = []byte(legacy)
	before := account()
	before.UID = "of one that was deleted"
	known := Live(fake.NewClientset(before, secret))
	current := Live(fake.NewClientset(account(), filled))
	tk, err := New(Config{Issuer: issuer, Signer: key, Known: known, Current: current, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	for name, token := range map[string]string{"a Secret filled just now": legacy, "an account made again": issue(t, tk, authenticationv1.TokenRequestSpec{}).Status.Token} {
		if _, ok, err := tk.AuthenticateToken(context.Background(), token); !ok {
			t.Errorf("the token of %s is refused: %v", name, err)
		}
	}
}

func TestCachedAsksForWhatItDoesNotKnow(t *testing.T) {
	client := fake.NewClientset(world()...)
	factory := informers.NewSharedInformerFactory(fake.NewClientset(), 0)
	objects := Cached(factory, Live(client)) // never synced: knows nothing
	if _, err := objects.Pod(context.Background(), "ns", "pod"); err != nil {
		t.Error(err)
	}
	if _, err := objects.Node(context.Background(), "none"); !apierrors.IsNotFound(err) {
		t.Errorf("error %v", err)
	}
}

func FuzzAuthenticate(f *testing.F) {
	now := time.Now()
	tk := tokens(f, ecKey(f), &now, world()...)
	good := issue(f, tk, authenticationv1.TokenRequestSpec{}).Status.Token
	f.Add(good)
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		if _, ok, _ := tk.AuthenticateToken(context.Background(), token); ok && token != good {
			t.Errorf("accepted %q", token)
		}
	})
}

func BenchmarkAuthenticate(b *testing.B) {
	now := time.Now()
	tk := tokens(b, ecKey(b), &now, world()...)
	token := issue(b, tk, authenticationv1.TokenRequestSpec{}).Status.Token
	b.ReportAllocs()
	for b.Loop() {
		if _, ok, err := tk.AuthenticateToken(context.Background(), token); !ok {
			b.Fatal(err)
		}
	}
}
