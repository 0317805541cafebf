package shell

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// openStdin opens a command's standard input: a file, or text.
func openStdin(c *Command) (*os.File, error) {
	name, isFile := strings.CutPrefix(c.Stdin, "@")
	if isFile {
		if !filepath.IsAbs(name) {
			name = filepath.Join(c.Dir, name)
		}
		return openInput(name)
	}
	// A pipe would need somebody to feed it.
	f, err := unnamedFile()
	if err != nil {
		return nil, fmt.Errorf("make standard input: %w", err)
	}
	if _, err = f.WriteString(c.Stdin); err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("write standard input: %w", err), f.Close())
	}
	return f, nil
}
