package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"k8s.io/client-go/util/keyutil"
)

const encryptionKeySize = 32

// ensureSigningKey loads the key of service account tokens; without a path it is a file of its own, made when missing.
func ensureSigningKey(dir, path string) (crypto.Signer, error) {
	data, path, err := ensureFile(filepath.Join(dir, "sa.key"), path, keyutil.MakeEllipticPrivateKeyPEM)
	if err != nil {
		return nil, err
	}
	return parseKey(path, data)
}

// ensureEncryptionKey loads the key of encryption at rest likewise.
func ensureEncryptionKey(dir, path string) ([]byte, error) {
	data, path, err := ensureFile(filepath.Join(dir, "encryption.key"), path, func() ([]byte, error) {
		key := make([]byte, encryptionKeySize)
		if _, err := rand.Read(key); err != nil {
			return nil, err
		}
		return append(base64.StdEncoding.AppendEncode(nil, key), '\n'), nil
	})
	if err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(data)))
	if err != nil || len(key) != encryptionKeySize {
		return nil, fmt.Errorf("reading encryption key %s: it is not %d bytes in base64", path, encryptionKeySize)
	}
	return key, nil
}

// ensureFile reads the file at path, or the own one, which is made when missing, if there is no path. It returns the path
// that it read.
func ensureFile(own, path string, make func() ([]byte, error)) ([]byte, string, error) {
	if path != "" {
		data, err := read(path, false)
		return data, path, err
	}
	data, err := read(own, true)
	if !errors.Is(err, fs.ErrNotExist) {
		return data, own, err
	}
	if data, err = make(); err != nil {
		return nil, own, fmt.Errorf("making key %s: %w", own, err)
	}
	return data, own, writeAtomic(own, data, 0o600, true)
}

func parseKey(path string, data []byte) (crypto.Signer, error) {
	key, err := keyutil.ParsePrivateKeyPEM(data)
	if err != nil {
		return nil, fmt.Errorf("reading key %s: %w", path, err)
	}
	switch key := key.(type) {
	case *ecdsa.PrivateKey:
		return key, nil
	case *rsa.PrivateKey:
		return key, nil
	}
	return nil, fmt.Errorf("reading key %s: it is neither an ECDSA nor an RSA key", path)
}

func loadPublicKeys(own crypto.Signer, paths []string) ([]crypto.PublicKey, error) {
	keys := []crypto.PublicKey{own.Public()}
	for _, path := range paths {
		data, err := read(path, false)
		if err != nil {
			return nil, err
		}
		more, err := keyutil.ParsePublicKeysPEM(data)
		if err != nil {
			return nil, fmt.Errorf("reading public keys %s: %w", path, err)
		}
		for _, key := range more {
			if !samePublicKey(own.Public(), key) {
				keys = append(keys, key)
			}
		}
	}
	return keys, nil
}
