package bootstrap

import (
	"crypto/x509"
	"net/netip"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/cluster-bootstrap/token/api"
	"k8s.io/cluster-bootstrap/util/secrets"
	"k8s.io/cluster-bootstrap/util/tokens"
)

// ca is one as far as its hash goes, which is about the key alone.
var ca = &x509.Certificate{RawSubjectPublicKeyInfo: []byte("a public key")}

func TestTokensAreReadAsTheyAreWritten(t *testing.T) {
	made, err := NewToken(ca)
	if err != nil {
		t.Fatal(err)
	}
	if read, err := ParseToken(made.String()); err != nil || read != made {
		t.Errorf("%v became %v, %v", made, read, err)
	}
	again, err := NewToken(ca)
	if err != nil || again.ID == made.ID || again.Secret == made.Secret || again.CAHash != made.CAHash {
		t.Errorf("after %v the next token is %v, %v", made, again, err)
	}
	if id, secret, err := tokens.ParseToken(made.Bearer()); err != nil || id != made.ID || secret != made.Secret {
		t.Errorf("others read %s as %s, %s, %v", made.Bearer(), id, secret, err)
	}
}

func TestWhatIsNoToken(t *testing.T) {
	hash := CAHash(ca)
	for _, text := range []string{
		"", "abcdef.0123456789abcdef", "abcdef.0123456789abcdef.", "abcde.0123456789abcdef." + hash, "abcdef.0123456789abcde." + hash,
		"ABCDEF.0123456789abcdef." + hash, "abcdef.0123456789abcdef." + hash[1:], "abcdef.0123456789abcdef." + strings.ToUpper(hash),
		"abcdef.0123456789abcdef." + hash + "\n", " abcdef.0123456789abcdef." + hash,
	} {
		_, err := ParseToken(text)
		if err == nil {
			t.Errorf("%q is taken for a token", text)
		} else if strings.Contains(err.Error(), "0123456789abcde") {
			t.Errorf("the error tells the secret: %v", err)
		}
	}
}

func FuzzParseToken(f *testing.F) {
	f.Add("abcdef.0123456789abcdef." + CAHash(ca))
	f.Fuzz(func(t *testing.T, text string) {
		if read, err := ParseToken(text); err == nil && read.String() != text {
			t.Errorf("%q is read as %q", text, read)
		}
	})
}

func TestSecretsAreBootstrapTokens(t *testing.T) {
	made, err := NewToken(ca)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	s := TokenSecret(made, "for a test", now.Add(time.Hour))
	groups, err := secrets.GetGroups(s)
	if err != nil || !sets.New(groups...).HasAll(api.BootstrapDefaultGroup, Group) {
		t.Errorf("groups %v, %v", groups, err)
	}
	if secrets.HasExpired(s, now) || !secrets.HasExpired(s, now.Add(2*time.Hour)) {
		t.Error("it does not expire in an hour")
	}
	if s = TokenSecret(made, "", time.Time{}); secrets.HasExpired(s, now.AddDate(100, 0, 0)) || s.Data[api.BootstrapTokenDescriptionKey] != nil {
		t.Errorf("without an end and a description it is %v", s)
	}
	for _, id := range []string{made.ID, made.String()} {
		if name, err := SecretName(id); err != nil || name != s.Name {
			t.Errorf("%s is in %s, %v; want %s", id, name, err, s.Name)
		}
	}
	if _, err := SecretName("../etc"); err == nil {
		t.Error("anything names a Secret")
	}
}

func TestClustersAreReadAsTheyAreWritten(t *testing.T) {
	want := Cluster{
		PodCIDR: netip.MustParsePrefix("10.244.0.0/16"), ServiceCIDR: netip.MustParsePrefix("10.96.0.0/12"),
		Domain: "example.org", DNS: netip.MustParseAddr("10.96.0.10"), PodNetwork: VXLAN,
		TunnelPort: 4789,
	}
	data := want.ConfigMap().Data
	if got, err := ClusterOf(data); err != nil || got != want {
		t.Errorf("read %v, %v; want %v", got, err, want)
	}
	older := want.ConfigMap().Data
	delete(older, tunnelPort)
	if got, err := ClusterOf(older); err != nil || got.TunnelPort != DefaultTunnelPort {
		t.Errorf("of a server that tells no port: %v, %v", got, err)
	}
	for key := range data {
		broken := want.ConfigMap().Data
		broken[key] = "/"
		if key == clusterDomain {
			broken[key] = ""
		}
		if _, err := ClusterOf(broken); err == nil {
			t.Errorf("%v is taken", broken)
		}
	}
}
