package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"
)

// checkDatabase looks at the head and the length of a member's database, if there is one. etcd opens it in a goroutine of its
// own, whose panic about a damaged one ends the process.
func checkDatabase(dir string) (err error) {
	path := filepath.Join(dir, "member", "snap", "db")
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	db, err := bolt.Open(path, 0, &bolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		return fmt.Errorf("the database %s is damaged: %w", path, err)
	}
	defer db.Close()
	return db.View(func(tx *bolt.Tx) error {
		if info.Size() < tx.Size() {
			return fmt.Errorf("the database %s is damaged: %d bytes of %d are left", path, info.Size(), tx.Size())
		}
		return nil
	})
}
