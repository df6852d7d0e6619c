package storage

import (
	"fmt"
	"os"
	"path/filepath"
)

// cleanMark is written when a member has stopped in order: its database need not be read as a whole before it is opened again.
const cleanMark = "stopped-in-order"

// stateOfFile is what tells a database from one that was changed, damaged or put in its place.
func stateOfFile(dir string) (string, error) {
	info, err := os.Stat(databaseIn(dir))
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d bytes, changed %d\n", info.Size(), info.ModTime().UnixNano()), nil
}

func databaseIn(dir string) string { return filepath.Join(dir, "member", "snap", "db") }

// markClean is for a member that has stopped. A mark that cannot be written costs time at the next start, nothing else.
func markClean(dir string) {
	state, err := stateOfFile(dir)
	if err != nil {
		return
	}
	_ = os.WriteFile(filepath.Join(dir, cleanMark), []byte(state), 0o600)
}

// takeMark reports whether the member stopped in order, and removes the mark: from now on it runs.
func takeMark(dir string) (clean bool, err error) {
	path := filepath.Join(dir, cleanMark)
	mark, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := os.Remove(path); err != nil {
		return false, err
	}
	if err := syncDirectory(dir); err != nil {
		return false, err
	}
	state, err := stateOfFile(dir)
	return err == nil && state == string(mark), nil
}
