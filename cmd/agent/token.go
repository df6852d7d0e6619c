package agent

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// mostToken bounds what is read for a token.
const mostToken = 4 << 10

// readToken is the token as it was given. Where a machine needs none, as it has joined, it may be gone.
func (o *Options) readToken(needed bool) (string, error) {
	var from io.Reader = os.Stdin
	switch {
	case o.TokenFile == "":
		return o.Token, nil
	case o.TokenFile == "-" && !needed:
		return "", nil
	case o.TokenFile != "-":
		file, err := os.Open(o.TokenFile)
		if errors.Is(err, fs.ErrNotExist) && !needed {
			return "", nil
		}
		if err != nil {
			return "", fmt.Errorf("--token-file: %w", err)
		}
		defer file.Close()
		from = file
	}
	content, err := io.ReadAll(io.LimitReader(from, mostToken))
	if err != nil {
		return "", fmt.Errorf("--token-file: %w", err)
	}
	return strings.TrimSpace(string(content)), nil
}
