package core

import (
	"context"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/coracle-k8s/coracle/apis/core"
	"github.com/coracle-k8s/coracle/registry/resource"
)

type serviceAccount = corev1.ServiceAccount

// ServiceAccounts are who pods are to the API.
func serviceAccounts(tokens Tokens) *resource.Resource[*serviceAccount] {
	subresources := map[string]resource.Subresource[*serviceAccount]{}
	if tokens != nil {
		subresources["token"] = tokenRequests(tokens)
	}
	return resource.Define(resource.Definition[*serviceAccount]{
		Name: "serviceaccounts", Short: []string{"sa"}, Namespaced: true,
		PrepareForCreate: func(_ context.Context, a *serviceAccount) { core.TrimSecretReferences(a) },
		PrepareForUpdate: func(_ context.Context, a, _ *serviceAccount) { core.TrimSecretReferences(a) },
		Warnings:         func(_ context.Context, a, old *serviceAccount) []string { return core.ServiceAccountWarnings(a, old) },
		ReturnDeleted:    true,
		Columns:          []resource.Column[*serviceAccount]{},
		Subresources:     subresources,
	})
}

// tokenRequests answers requests for tokens of an account.
func tokenRequests(tokens Tokens) resource.Post[*serviceAccount, *authenticationv1.TokenRequest] {
	return resource.Post[*serviceAccount, *authenticationv1.TokenRequest]{
		Preconditions: true,
		Prepare: func(ctx context.Context, accounts *resource.Resource[*serviceAccount], name string, in *authenticationv1.TokenRequest) error {
			account, err := accounts.Get(ctx, name)
			if err != nil {
				return err
			}
			return tokens.Prepare(account, in)
		},
		Do: func(ctx context.Context, accounts *resource.Resource[*serviceAccount], name string, in *authenticationv1.TokenRequest, _ *metav1.CreateOptions) (runtime.Object, error) {
			account, err := accounts.Get(ctx, name)
			if err != nil {
				return nil, err
			}
			return tokens.Issue(ctx, account, in)
		},
	}
}
