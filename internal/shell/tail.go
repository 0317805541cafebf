package shell

import (
	"os"
	"strings"
	"unicode/utf8"
)

// Tail reads the end of an output file, at most n bytes, as valid UTF-8: a character that the cut would split is left
// out, and bytes that are none are replaced by U+FFFD. It is "" if there is no such file.
func Tail(path string, n int64) string { return TailWithout(path, n, 0, nil) }

// TailWithout is Tail of what hide leaves of the bytes. hide gets up to before bytes more, so that it sees the whole of
// what the cut would split, and returns what is left of those from the given place on.
func TailWithout(path string, n, before int64, hide func(b []byte, from int) []byte) string {
	f, err := os.Open(path)
	if err != nil || n <= 0 {
		return ""
	}
	defer f.Close() // opened for reading
	info, err := f.Stat()
	if err != nil {
		return ""
	}
	kept := min(n, info.Size())
	size := min(n+before, info.Size())
	buf := make([]byte, size)
	got, _ := f.ReadAt(buf, info.Size()-size) // the file may have been cut meanwhile: what there is will do
	buf = buf[:got]
	from := max(0, got-int(kept))
	if hide != nil {
		buf = hide(buf, from)
	} else {
		buf = buf[from:]
	}
	if kept < info.Size() {
		buf = wholeRunes(buf)
	}
	text := strings.ToValidUTF8(string(buf), string(utf8.RuneError))
	if excess := int64(len(text)) - n; excess > 0 { // the replacement is longer than what it replaces
		text = string(wholeRunes([]byte(text[excess:])))
	}
	return text
}

// wholeRunes leaves out the rest of a character that starts before b.
func wholeRunes(b []byte) []byte {
	for i := 0; i < len(b) && i < utf8.UTFMax; i++ {
		if utf8.RuneStart(b[i]) {
			return b[i:]
		}
	}
	if len(b) < utf8.UTFMax {
		return nil // nothing but such a rest
	}
	return b
}
