package server

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// How long the API's answers count.
	allowedFor = 5 * time.Minute
	deniedFor  = 30 * time.Second
	tokenFor   = 2 * time.Minute
	// unknownFor is short: a token may be good a moment later, when the API has learned of it.
	unknownFor = 10 * time.Second
	// maxAnswers bounds what is remembered.
	maxAnswers = 4096
)

// access decides who may ask for what: a certificate or token says who it is, the API says what that user may do to
// nodes/<subresource>. The API server itself may do all.
type access struct {
	Config

	mu      sync.Mutex
	answers map[string]verdict
	users   map[[32]byte]known
	refused map[[32]byte]time.Time
}

type verdict struct {
	allowed bool
	until   time.Time
}

type user struct {
	name, uid string
	groups    []string
	extra     map[string]authorizationv1.ExtraValue
}

type known struct {
	user  user
	until time.Time
}

func newAccess(c Config) *access {
	return &access{Config: c, answers: map[string]verdict{}, users: map[[32]byte]known{}, refused: map[[32]byte]time.Time{}}
}

var errUnknown = errors.New("Unauthorized")

// guard lets through who has one of the rights.
func (a *access) guard(rights []string, next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u, err := a.who(r)
		if err != nil {
			http.Error(w, "Unauthorized", http.StatusUnauthorized)
			return
		}
		verb := verbOf(r.Method)
		for _, right := range rights {
			allowed, err := a.may(r.Context(), u, verb, right)
			if err != nil {
				http.Error(w, fmt.Sprintf("Authorization error (user=%s, verb=%s, resource=nodes, subresource=%s)", u.name, verb, right), http.StatusInternalServerError)
				return
			}
			if allowed {
				next(w, r)
				return
			}
		}
		http.Error(w, fmt.Sprintf("Forbidden (user=%s, verb=%s, resource=nodes, subresource(s)=%v)", u.name, verb, rights), http.StatusForbidden)
	})
}

func verbOf(method string) string {
	switch method {
	case http.MethodPost:
		return "create"
	case http.MethodPut:
		return "update"
	case http.MethodPatch:
		return "patch"
	case http.MethodDelete:
		return "delete"
	}
	return "get"
}

func (a *access) who(r *http.Request) (user, error) {
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		subject := r.TLS.PeerCertificates[0].Subject
		return user{name: subject.CommonName, groups: append(subject.Organization, "system:authenticated")}, nil
	}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || token == "" {
		return user{}, errUnknown
	}
	return a.review(r.Context(), token)
}

func (a *access) review(ctx context.Context, token string) (user, error) {
	key, now := sha256.Sum256([]byte(token)), time.Now()
	a.mu.Lock()
	k, ok := a.users[key]
	refused := now.Before(a.refused[key])
	a.mu.Unlock()
	if ok && now.Before(k.until) {
		return k.user, nil
	}
	if refused {
		return user{}, errUnknown
	}
	result, err := a.Client.AuthenticationV1().TokenReviews().Create(ctx, &authenticationv1.TokenReview{
		Spec: authenticationv1.TokenReviewSpec{Token: token},
	}, metav1.CreateOptions{})
	if err != nil {
		return user{}, errUnknown
	}
	if !result.Status.Authenticated {
		a.refuse(key, now)
		return user{}, errUnknown
	}
	found := user{name: result.Status.User.Username, uid: result.Status.User.UID, groups: result.Status.User.Groups}
	found.extra = map[string]authorizationv1.ExtraValue{}
	for name, value := range result.Status.User.Extra {
		found.extra[name] = authorizationv1.ExtraValue(value)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.users) >= maxAnswers {
		clear(a.users)
	}
	a.users[key] = known{found, now.Add(tokenFor)}
	return found, nil
}

// refuse remembers a token that nobody has. Those who send many of them push out no good ones.
func (a *access) refuse(key [sha256.Size]byte, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.refused) >= maxAnswers {
		clear(a.refused)
	}
	a.refused[key] = now.Add(unknownFor)
}

func (a *access) may(ctx context.Context, u user, verb, right string) (bool, error) {
	if a.ServerUser != "" && u.name == a.ServerUser {
		return true, nil
	}
	key := strings.Join([]string{u.name, strings.Join(u.groups, ","), verb, right}, "\x00")
	now := time.Now()
	a.mu.Lock()
	v, ok := a.answers[key]
	a.mu.Unlock()
	if ok && now.Before(v.until) {
		return v.allowed, nil
	}
	result, err := a.Client.AuthorizationV1().SubjectAccessReviews().Create(ctx, &authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{
			User: u.name, UID: u.uid, Groups: u.groups, Extra: u.extra,
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Verb: verb, Version: "v1", Resource: "nodes", Subresource: right, Name: a.NodeName,
			},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return false, fmt.Errorf("reviewing access: %w", err)
	}
	v = verdict{allowed: result.Status.Allowed, until: now.Add(deniedFor)}
	if v.allowed {
		v.until = now.Add(allowedFor)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.answers) >= maxAnswers {
		clear(a.answers)
	}
	a.answers[key] = v
	return v.allowed, nil
}
