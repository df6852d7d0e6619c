package storage

import (
	"context"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/server/healthz"
	"k8s.io/apiserver/pkg/server/options/encryptionconfig"
	"k8s.io/apiserver/pkg/storage/value"
	"k8s.io/apiserver/pkg/storage/value/encrypt/identity"
	"k8s.io/apiserver/pkg/storage/value/encrypt/secretbox"
)

// Encryption says what is encrypted at rest, and how.
type Encryption struct {
	transformers encryptionconfig.StaticTransformers
	// Checks are health checks of key services.
	Checks []healthz.HealthChecker
}

// keyPrefix marks values as an EncryptionConfiguration with a secretbox key called key1 does, so that one can take over.
const keyPrefix = "k8s:enc:secretbox:v1:key1:"

var secrets = schema.GroupResource{Resource: "secrets"}

// EncryptSecrets encrypts Secrets with a key of 32 bytes. What was stored unencrypted stays readable.
func EncryptSecrets(key [32]byte) *Encryption {
	return &Encryption{transformers: encryptionconfig.StaticTransformers{
		secrets: value.NewPrefixTransformers(nil,
			value.PrefixTransformer{Prefix: []byte(keyPrefix), Transformer: secretbox.NewSecretboxTransformer(key)},
			value.PrefixTransformer{Transformer: identity.NewEncryptCheckTransformer()},
		),
	}}
}

// EncryptAs encrypts as a file of kind EncryptionConfiguration (apiserver.config.k8s.io/v1) says. Key services are
// watched until ctx ends.
// https://kubernetes.io/docs/tasks/administer-cluster/encrypt-data/
func EncryptAs(ctx context.Context, file, serverID string) (*Encryption, error) {
	loaded, err := encryptionconfig.LoadEncryptionConfig(ctx, file, false, serverID)
	if err != nil {
		return nil, fmt.Errorf("reading the encryption configuration %s: %w", file, err)
	}
	return &Encryption{transformers: loaded.Transformers, Checks: loaded.HealthChecks}, nil
}

func (e *Encryption) of(gr schema.GroupResource) value.Transformer {
	if e == nil {
		return identity.NewEncryptCheckTransformer()
	}
	return e.transformers.TransformerForResource(gr)
}

// Verify reads a stored Secret, if there is one: with another key than the one that encrypted it, the server must not start.
func (e *Encryption) Verify(ctx context.Context, b *Backend) error {
	const prefix = Root + "/secrets/"
	found, err := b.Client.Client.Get(ctx, prefix, clientv3.WithPrefix(), clientv3.WithLimit(1))
	if err != nil {
		return fmt.Errorf("reading a Secret: %w", err)
	}
	for _, kv := range found.Kvs {
		if _, _, err := e.of(secrets).TransformFromStorage(ctx, kv.Value, value.DefaultContext(kv.Key)); err != nil {
			return fmt.Errorf("decrypting the stored %s: is this the key that it was encrypted with? %w", kv.Key, err)
		}
	}
	return nil
}
