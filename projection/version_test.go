package projection_test

import (
	"strings"
	"testing"

	"github.com/queuectl/queuectl/projection"
)

// A file of another version is taken for unreadable, and its bytes for nothing else.
func TestLoad_RefusesAnotherVersion(t *testing.T) {
	t.Parallel()
	file := &memoryFile{}
	if err := newHistory().Save(0, file); err != nil {
		t.Fatal(err)
	}
	const summary = 1 // the section, whose only block begins with the version
	file.sections[summary][0].data[0]++
	defer func() {
		if failed, ok := recover().(*projection.BaseError); !ok || !strings.Contains(failed.Error(), "version 2, and this program reads 1") {
			t.Errorf("got %v, want an error that names the versions", failed)
		}
	}()
	projection.Load([]projection.File{reading{file}})
}
