package images

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/distribution/reference"
	corev1 "k8s.io/api/core/v1"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// Keyring finds the credentials for an image by the places that they are for.
// https://kubernetes.io/docs/concepts/containers/images/#config-json
type Keyring struct{ entries []keyringEntry }

type keyringEntry struct {
	place      string // host[:port][/path], the host with shell patterns in its labels
	credential *Credential
}

// login is one entry of docker's configuration file.
type login struct {
	Username      string `json:"username"`
	Password      string `json:"password"`
	Auth          string `json:"auth"`
	IdentityToken string `json:"identitytoken"`
}

// Add takes the credentials of a secret of type kubernetes.io/dockerconfigjson or kubernetes.io/dockercfg.
func (k *Keyring) Add(secret *corev1.Secret) error {
	var logins map[string]login
	switch {
	case secret.Type == corev1.SecretTypeDockerConfigJson && len(secret.Data[corev1.DockerConfigJsonKey]) > 0:
		var file struct {
			Auths map[string]login `json:"auths"`
		}
		if err := json.Unmarshal(secret.Data[corev1.DockerConfigJsonKey], &file); err != nil {
			return err
		}
		logins = file.Auths
	case secret.Type == corev1.SecretTypeDockercfg && len(secret.Data[corev1.DockerConfigKey]) > 0:
		if err := json.Unmarshal(secret.Data[corev1.DockerConfigKey], &logins); err != nil {
			return err
		}
	default:
		return fmt.Errorf("type %s has no credentials for images", secret.Type)
	}
	for place, l := range logins {
		auth, err := l.parse()
		if err != nil {
			return fmt.Errorf("entry %s: %w", place, err)
		}
		k.entries = append(k.entries, keyringEntry{trim(place), newCredential(auth, secret)})
	}
	// The more exact first: a longer path sorts after its beginning.
	slices.SortStableFunc(k.entries, func(a, b keyringEntry) int { return strings.Compare(b.place, a.place) })
	return nil
}

// parse turns a login into what the runtime takes. auth is user:password in base64 and wins over both alone.
func (l login) parse() (*runtimeapi.AuthConfig, error) {
	a := &runtimeapi.AuthConfig{Username: l.Username, Password: l.Password, IdentityToken: l.IdentityToken}
	if l.Auth == "" {
		return a, nil
	}
	text, err := base64.StdEncoding.DecodeString(l.Auth)
	if err != nil {
		text, err = base64.RawStdEncoding.DecodeString(l.Auth)
	}
	if err != nil {
		return nil, fmt.Errorf("auth is not base64: %w", err)
	}
	user, password, found := strings.Cut(string(text), ":")
	if !found {
		return nil, fmt.Errorf("auth is not of the form user:password")
	}
	a.Username, a.Password = user, password
	return a, nil
}

// trim takes away what docker puts around a registry's name.
func trim(place string) string {
	if !strings.Contains(place, "://") {
		place = "https://" + place
	}
	u, err := url.Parse(place)
	if err != nil {
		return strings.TrimPrefix(place, "https://")
	}
	p := u.Path
	if p == "/v1" || p == "/v2" || strings.HasPrefix(p, "/v1/") || strings.HasPrefix(p, "/v2/") {
		p = p[len("/v1"):]
	}
	return strings.TrimSuffix(u.Host+p, "/")
}

// Lookup returns the credentials that fit an image, the most exact place's first.
func (k *Keyring) Lookup(image string) []*Credential {
	named, err := reference.ParseDockerRef(image)
	if err != nil {
		return nil
	}
	var found []*Credential
	for _, place := range placesOf(named) {
		for _, e := range k.entries {
			if fits(e.place, place) && !slices.Contains(found, e.credential) {
				found = append(found, e.credential)
			}
		}
	}
	return found
}

// placesOf are the names of an image's repository; docker's own registry has two.
func placesOf(named reference.Named) []string {
	if reference.Domain(named) == "docker.io" {
		return []string{"index.docker.io/" + reference.Path(named), named.Name()}
	}
	return []string{named.Name()}
}

// fits says whether a repository is in a place: the host matches label by label, the port is the same, and the path is the
// place's or beneath it.
func fits(place, repository string) bool {
	placeHost, placePath, _ := strings.Cut(place, "/")
	host, repoPath, _ := strings.Cut(repository, "/")
	placeName, placePort := splitPort(placeHost)
	name, port := splitPort(host)
	if placePort != port {
		return false
	}
	patterns, labels := strings.Split(placeName, "."), strings.Split(name, ".")
	if len(patterns) != len(labels) {
		return false
	}
	for i := range patterns {
		if ok, err := path.Match(patterns[i], labels[i]); err != nil || !ok {
			return false
		}
	}
	return strings.HasPrefix(repoPath, placePath)
}

func splitPort(host string) (name, port string) {
	if name, port, err := net.SplitHostPort(host); err == nil {
		return name, port
	}
	return host, ""
}
