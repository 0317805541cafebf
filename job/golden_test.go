package job

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the events of this release to testdata/golden")

// golden holds an event of every kind as each release wrote it: "kind name bytes" a line. A file is
// written once, by the release that has its name, and never changed: logs with these bytes exist.
const (
	golden  = "testdata/golden"
	current = "v1.txt"
)

func TestGolden_EventsOfEveryReleaseStillDecode(t *testing.T) {
	t.Parallel()
	if *update {
		writeGolden(t)
	}
	files, err := filepath.Glob(filepath.Join(golden, "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		for i, e := range readGolden(t, file) {
			got, err := DecodeEvent(e.kind, e.data)
			if err != nil {
				t.Errorf("%s:%d: %v", file, i+1, err)
				continue
			}
			if want := sampleOf(e.kind); !reflect.DeepEqual(got, want) {
				t.Errorf("%s:%d:\ngot  %+v\nwant %+v", file, i+1, got, want)
			}
			if again := AppendEvent(nil, got); filepath.Base(file) == current && !bytes.Equal(again, e.data) {
				t.Errorf("%s:%d: encoding changed\ngot  %x\nwant %x", file, i+1, again, e.data)
			}
		}
	}
}

type goldenEvent struct {
	kind Kind
	data []byte
}

func readGolden(t *testing.T, file string) (list []goldenEvent) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var e goldenEvent
		var name string
		if _, err := fmt.Sscanf(line, "%d %s %x\n", &e.kind, &name, &e.data); err != nil || name != e.kind.String() {
			t.Fatalf("%s: %s: %v", file, line, err)
		}
		list = append(list, e)
	}
	return list
}

func writeGolden(t *testing.T) {
	t.Helper()
	var b strings.Builder
	for _, e := range samples {
		fmt.Fprintf(&b, "%d %v %s\n", KindOf(e), KindOf(e), hex.EncodeToString(AppendEvent(nil, e)))
	}
	if err := os.MkdirAll(golden, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(golden, current), []byte(b.String()), 0o666); err != nil {
		t.Fatal(err)
	}
}

func sampleOf(k Kind) Event {
	for _, e := range samples {
		if KindOf(e) == k {
			return e
		}
	}
	return nil
}
