package authentication

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
)

// tokens knows one user, whose token is for whoever is asked for, unless audiences are given.
type tokens struct{ audiences authenticator.Audiences }

func (k tokens) AuthenticateRequest(r *http.Request) (*authenticator.Response, bool, error) {
	if _, ok := request.UserFrom(r.Context()); ok {
		return nil, false, errors.New("the reviewer's user came with the token")
	}
	if r.Header.Get("Authorization") != "Bearer good" {
		return nil, false, errors.New("invalid bearer token")
	}
	audiences := k.audiences
	if audiences == nil {
		audiences, _ = authenticator.AudiencesFrom(r.Context())
	}
	return &authenticator.Response{Audiences: audiences, User: &user.DefaultInfo{Name: "alice", UID: "1", Groups: []string{"devs"}, Extra: map[string][]string{"k": {"v"}}}}, true, nil
}

func TestTokenReview(t *testing.T) {
	alice := authenticationv1.UserInfo{Username: "alice", UID: "1", Groups: []string{"devs"}, Extra: map[string]authenticationv1.ExtraValue{"k": {"v"}}}
	for _, c := range []struct {
		name   string
		config Config
		spec   authenticationv1.TokenReviewSpec
		want   authenticationv1.TokenReviewStatus
		failed func(error) bool
	}{
		{"known", Config{Authenticator: tokens{}, Audiences: []string{"api"}}, authenticationv1.TokenReviewSpec{Token: "good"},
			authenticationv1.TokenReviewStatus{Authenticated: true, User: alice, Audiences: []string{"api"}}, nil},
		{"known to others", Config{Authenticator: tokens{}, Audiences: []string{"api"}}, authenticationv1.TokenReviewSpec{Token: "good", Audiences: []string{"vault"}},
			authenticationv1.TokenReviewStatus{Authenticated: true, User: alice, Audiences: []string{"vault"}}, nil},
		{"unknown", Config{Authenticator: tokens{}}, authenticationv1.TokenReviewSpec{Token: "bad"}, authenticationv1.TokenReviewStatus{Error: "invalid bearer token"}, nil},
		{"none", Config{Authenticator: tokens{}}, authenticationv1.TokenReviewSpec{}, authenticationv1.TokenReviewStatus{}, apierrors.IsBadRequest},
		{"for others only", Config{Authenticator: tokens{[]string{"vault"}}, Audiences: []string{"api"}}, authenticationv1.TokenReviewSpec{Token: "good"},
			authenticationv1.TokenReviewStatus{}, apierrors.IsInternalError},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := create(Endpoints(c.config)[authenticationv1.SchemeGroupVersion]["tokenreviews"], &authenticationv1.TokenReview{Spec: c.spec})
			if c.failed != nil {
				if !c.failed(err) {
					t.Fatalf("got error %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, out.(*authenticationv1.TokenReview).Status); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSelfSubjectReviewNamesWhoAsks(t *testing.T) {
	out, err := create(Endpoints(Config{})[authenticationv1.SchemeGroupVersion]["selfsubjectreviews"], &authenticationv1.SelfSubjectReview{})
	if err != nil {
		t.Fatal(err)
	}
	if got := out.(*authenticationv1.SelfSubjectReview).Status.UserInfo.Username; got != "reviewer" {
		t.Errorf("got user %q", got)
	}
}

func TestAdmissionMayRefuse(t *testing.T) {
	refusal := errors.New("refused")
	endpoint := Endpoints(Config{Authenticator: tokens{}})[authenticationv1.SchemeGroupVersion]["tokenreviews"].(rest.Creater)
	_, err := endpoint.Create(context.Background(), &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: "good"}},
		func(context.Context, runtime.Object) error { return refusal }, nil)
	if !errors.Is(err, refusal) {
		t.Errorf("got %v", err)
	}
}

func create(endpoint rest.Storage, in runtime.Object) (runtime.Object, error) {
	ctx := request.WithUser(context.Background(), &user.DefaultInfo{Name: "reviewer"})
	return endpoint.(rest.Creater).Create(ctx, in, nil, nil)
}
