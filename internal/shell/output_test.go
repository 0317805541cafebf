package shell

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// printed stands for a command that prints. It has its own descriptor, as a command has.
type printed struct {
	out   *output
	f     *os.File
	total []byte
}

func newPrinted(t interface{ Fatal(...any) }, dir string, most int64) *printed {
	path := filepath.Join(dir, "out.log")
	out, err := openOutput(&Command{Output: path, OutputMax: most})
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	return &printed{out: out, f: f}
}

func (p *printed) print(t interface{ Fatal(...any) }, data []byte) {
	if _, err := p.f.Write(data); err != nil {
		t.Fatal(err)
	}
	p.total = append(p.total, data...)
}

// check compares the file with what was printed: all of it, or its head, the line and its tail.
func (p *printed) check(most int64) error {
	got, err := os.ReadFile(p.out.path)
	if err != nil {
		return err
	}
	at := cutMark.FindSubmatchIndex(got)
	if at == nil {
		if !bytes.Equal(got, p.total) {
			return fmt.Errorf("uncut file of %d bytes is not what was printed", len(got))
		}
		return nil
	}
	head, tail := got[:at[0]], got[at[1]:]
	missing, _ := strconv.Atoi(string(got[at[2]:at[3]]))
	switch {
	case int64(len(head)) != most/4 || !bytes.HasPrefix(p.total, head):
		return fmt.Errorf("head of %d bytes is wrong", len(head))
	case int64(len(tail)) < most/2 || !bytes.HasSuffix(p.total, tail):
		return fmt.Errorf("tail of %d bytes is wrong", len(tail))
	case len(head)+missing+len(tail) != len(p.total):
		return fmt.Errorf("%d + %d + %d bytes, of %d printed", len(head), missing, len(tail), len(p.total))
	}
	return nil
}

func TestOutput_KeepsHeadAndTailOfWhatWasPrinted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.Int64Range(400, 4000).Draw(t, "limit")
		p := newPrinted(t, dir, most)
		defer os.Remove(p.out.path)
		defer p.f.Close()
		for range rapid.IntRange(1, 20).Draw(t, "looks") {
			for range rapid.IntRange(0, 3).Draw(t, "prints") {
				n := rapid.IntRange(0, 3000).Draw(t, "bytes")
				p.print(t, []byte(fmt.Sprintf("%d:%s\n", len(p.total), strings.Repeat("x", n))))
			}
			p.out.trimLocked()
			if info, err := p.f.Stat(); err != nil || info.Size() > most {
				t.Fatalf("%d bytes after a look, limit %d: %v", info.Size(), most, err)
			}
			if err := p.check(most); err != nil {
				t.Fatal(err)
			}
		}
		p.out.close()
	})
}

func TestOutput_KeepsHalfOfALargeOutput(t *testing.T) {
	t.Parallel()
	const most = 1 << 20
	p := newPrinted(t, t.TempDir(), most)
	defer p.f.Close()
	for i := range 5 {
		p.print(t, bytes.Repeat(fmt.Appendf(nil, "%d%99d\n", i, i), 10_000))
		p.out.trimLocked()
		if err := p.check(most); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOutput_LimitShorterThanTheLineIsNoLimit(t *testing.T) {
	t.Parallel()
	p := newPrinted(t, t.TempDir(), 10)
	defer p.f.Close()
	p.print(t, []byte("twenty bytes of text"))
	if size := p.out.close(); size != 20 {
		t.Errorf("%d bytes are left, want all 20", size)
	}
}

// What a command prints in the very moment of a cut may be lost. Here that is all the time; whatever stays is in order.
func TestOutput_CutsWhileTheCommandPrints(t *testing.T) {
	t.Parallel()
	const most, lines = 256 << 10, 100_000
	p := newPrinted(t, t.TempDir(), most)
	done := make(chan error, 1)
	go func() {
		var err error
		for i := 0; i < lines && err == nil; i += 100 {
			var chunk []byte
			for n := range 100 {
				chunk = fmt.Appendf(chunk, "line %d\n", i+n)
			}
			_, err = p.f.Write(chunk)
		}
		done <- err
	}()
	for printing := true; printing; {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			printing = false
		default:
			p.out.trimLocked()
		}
	}
	p.print(t, []byte("the end\n"))
	if size := p.out.close(); size > most {
		t.Errorf("%d bytes are left, limit %d", size, most)
	}
	got, err := os.ReadFile(p.out.path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(got, []byte("line 0\nline 1\n")) || !bytes.HasSuffix(got, []byte("\nthe end\n")) {
		t.Errorf("the output begins %.30q and ends %q", got, got[len(got)-30:])
	}
	if n := len(cutMark.FindAll(got, -1)); n != 1 {
		t.Errorf("%d lines say that something was cut out, want 1", n)
	}
	last := -1
	for _, m := range regexp.MustCompile(`(?m)^line (\d+)$`).FindAllSubmatch(got, -1) {
		if n, _ := strconv.Atoi(string(m[1])); n > last {
			last = n
		} else if len(m[1]) == len(strconv.Itoa(last)) { // a shorter one was torn
			t.Fatalf("line %d comes after line %d", n, last)
		}
	}
}

func TestTail_IsValidAndNoLongerThanAsked(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "out.log")
	for _, row := range []struct {
		text string
		n    int64
		want string
	}{
		{"", 10, ""},
		{"hello", 10, "hello"},
		{"hello", 5, "hello"},
		{"hello", 2, "lo"},
		{"hello", 0, ""},
		{"hello", -1, ""},
		{"aäö€", 6, "ö€"},     // whole characters
		{"aäö€", 4, "€"},      // the second half of ö is left out
		{"\xa4b", 2, "b"},     // ditto of ä: its replacement is too long
		{"a\xffb", 10, "a�b"}, // no character
		{"\xff\xff\xff\xff", 4, "�"},
		{"\xf9\U00075d75\xb0", 6, "\ufffd"}, // three bytes of the cut character are left
		{"\xff", 2, ""},                     // its replacement is too long, and there is nothing else
		{"a\xffb\xffc", 5, "b�c"},           // the replacement counts
	} {
		if err := os.WriteFile(path, []byte(row.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := Tail(path, row.n); got != row.want {
			t.Errorf("Tail of %q, %d bytes = %q, want %q", row.text, row.n, got, row.want)
		}
	}
	if got := Tail(path+".none", 10); got != "" {
		t.Errorf("Tail of no file = %q", got)
	}
}

func FuzzTail(f *testing.F) {
	f.Add([]byte("aäö€"), int64(5))
	path := filepath.Join(f.TempDir(), "out.log")
	f.Fuzz(func(t *testing.T, text []byte, n int64) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := Tail(path, n); !utf8.ValidString(got) || int64(len(got)) > max(n, 0) {
			t.Errorf("Tail of %q, %d bytes = %q", text, n, got)
		}
	})
}
