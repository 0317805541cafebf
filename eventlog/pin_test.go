package eventlog

import (
	"context"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParsePin_TakesWhatPinWrites(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var h Head
		h.Position = Position(rapid.Uint64Min(1).Draw(t, "position"))
		copy(h.Hash[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "hash"))
		if got, err := ParsePin(h.Pin().String()); err != nil || got != h.Pin() {
			t.Errorf("got %v, %v", got, err)
		}
	})
}

func TestParsePin_RefusesWhatIsNone(t *testing.T) {
	t.Parallel()
	hash := strings.Repeat("0a", 32)
	for text, want := range map[string]string{
		"":                 "not of the form",
		"7":                "not of the form",
		hash:               "not of the form",
		":" + hash:         "not a position",
		"0:" + hash:        "not a position",
		"-1:" + hash:       "not a position",
		"7:":               "0 digits",
		"7:" + hash[:15]:   "15 digits",
		"7:" + hash + "0":  "65 digits",
		"7:0x" + hash[:16]: "not hexadecimal",
	} {
		if pin, err := ParsePin(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, %v; want an error with %q", text, pin, err, want)
		}
	}
	if pin, err := ParsePin("7:" + strings.ToUpper(hash[:16])); err != nil || pin != (Pin{7, hash[:16]}) {
		t.Errorf("upper case: got %v, %v", pin, err)
	}
}

// TestVerify_HeadsThatWereNoted has pins of each kind, on a sound log, a shorter one and a damaged
// one.
func TestVerify_HeadsThatWereNoted(t *testing.T) {
	t.Parallel()
	h := threeSegments(t, 70)
	n := h.commits()
	head := func(c Commit) Head { return h.tips[c].head }
	short := func(c Commit) Pin { return Pin{head(c).Position, head(c).Hash.String()[:minPinDigits]} }
	several := Commit(2) // a commit of more than one event
	for head(several).Position == head(several-1).Position+1 {
		several++
	}
	inside := Pin{head(several).Position - 1, strings.Repeat("ab", 32)}
	other := Pin{head(7).Position, strings.Repeat("ab", 32)}
	moved := Pin{head(7).Position + 1, head(7).Hash.String()}
	beyond := Pin{head(n).Position + 1, strings.Repeat("ab", 32)}
	check := func(name, dir string, pins []Pin, want ...PinCheck) {
		t.Helper()
		report, err := Verify(context.Background(), dir, VerifyOptions{Heads: pins})
		if err != nil {
			t.Fatal(err)
		}
		sound := len(report.Damage) == 0
		for i, got := range report.Heads {
			want[i].Pin = pins[i]
			if got != want[i] {
				t.Errorf("%s: pin %d: got  %+v\nwant %+v", name, i, got, want[i])
			}
			sound = sound && got.Verdict == PinFound
		}
		if report.Sound() != sound {
			t.Errorf("%s: Sound is %v", name, report.Sound())
		}
	}
	dir := h.write(t)
	check("sound", dir, []Pin{head(1).Pin(), short(several), head(n).Pin()},
		PinCheck{Found: head(1)}, PinCheck{Found: head(several)}, PinCheck{Found: head(n)})
	check("not as noted", dir, []Pin{inside, other, moved, beyond},
		PinCheck{Verdict: PinRewritten, Found: head(several)}, PinCheck{Verdict: PinRewritten, Found: head(7)},
		PinCheck{Verdict: PinMistaken, Found: head(7)}, PinCheck{Verdict: PinMissing})

	if err := os.Truncate(h.path(dir, 2), h.tips[n-1].offset); err != nil {
		t.Fatal(err)
	}
	check("cut off", dir, []Pin{head(n - 1).Pin(), short(n)}, PinCheck{Found: head(n - 1)}, PinCheck{Verdict: PinMissing})
	promise(t, dir, h)
	check("cut off, and it is known", dir, []Pin{short(n)}, PinCheck{Verdict: PinMissing})

	c := h.segments[1].first + 3
	h.segments[1].data[h.tips[c-1].offset+30] ^= 1
	dir = h.write(t)
	check("damaged", dir, []Pin{short(c - 1), short(c), short(c + 1), beyond},
		PinCheck{Found: head(c - 1)}, PinCheck{Verdict: PinUnreadable}, PinCheck{Found: head(c + 1)}, PinCheck{Verdict: PinMissing})
	put(t, h.path(dir, 2), []byte("nothing of this is a frame"))
	check("damaged to its end", dir, []Pin{short(n)}, PinCheck{Verdict: PinUnreadable})
}
