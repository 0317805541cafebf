package eventlog

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// Pin is a Head that was noted outside of the log: the last position of a commit, and the first
// digits of its hash. Its text is POSITION:HASH.
type Pin struct {
	Position Position
	Hash     string // hexadecimal, lower case, 16 to 64 digits
}

// The bounds of Pin.Hash. With 64 bits nobody makes another history that fits by trying.
const (
	minPinDigits = 16
	maxPinDigits = 2 * len(Hash{})
)

// Pin returns what to note of a head.
func (h Head) Pin() Pin { return Pin{Position: h.Position, Hash: h.Hash.String()} }

// String returns the text that ParsePin takes.
func (p Pin) String() string { return fmt.Sprintf("%d:%s", p.Position, p.Hash) }

// ParsePin parses POSITION:HASH.
func ParsePin(text string) (Pin, error) {
	position, hash, ok := strings.Cut(text, ":")
	if !ok {
		return Pin{}, fmt.Errorf("head %q: not of the form POSITION:SHA256", text)
	}
	n, err := strconv.ParseUint(position, 10, 64)
	if err != nil || n == 0 {
		return Pin{}, fmt.Errorf("head %q: %q is not a position", text, position)
	}
	hash = strings.ToLower(hash)
	if strings.Trim(hash, "0123456789abcdef") != "" {
		return Pin{}, fmt.Errorf("head %q: the hash is not hexadecimal", text)
	}
	if len(hash) < minPinDigits || len(hash) > maxPinDigits {
		return Pin{}, fmt.Errorf("head %q: the hash has %d digits, not %d to %d", text, len(hash), minPinDigits, maxPinDigits)
	}
	return Pin{Position: Position(n), Hash: hash}, nil
}

// PinVerdict is what became of a head that was noted.
type PinVerdict uint8

const (
	PinFound      PinVerdict = iota // the log contains it: everything up to it is as it was
	PinRewritten                    // another commit is in its place: history was rewritten
	PinMissing                      // the log ends before it: the newest commits are missing
	PinUnreadable                   // it would be where the log is damaged
	PinPruned                       // what it stands for was pruned
	// PinMistaken: that hash belongs to a commit of this log which ends at another position. The head
	// was noted wrongly.
	PinMistaken
)

// PinCheck is the verdict on one Pin.
type PinCheck struct {
	Pin     Pin
	Verdict PinVerdict
	// Found is the head that was found: of the commit that contains the position, if that is
	// rewritten; of the commit with that hash, if the pin is mistaken; else the zero Head.
	Found Head
}

// pins looks for heads among the commits that pass by.
type pins struct {
	list   []PinCheck
	starts [][minPinDigits / 2]byte // of the hashes, to dismiss others quickly
}

func newPins(heads []Pin) *pins {
	p := &pins{}
	for _, h := range heads {
		var start [minPinDigits / 2]byte
		_, _ = hex.Decode(start[:], []byte(firstN([]byte(h.Hash), minPinDigits))) // a Pin that is none is not found
		p.list = append(p.list, PinCheck{Pin: h, Verdict: PinMissing})
		p.starts = append(p.starts, start)
	}
	return p
}

// begin takes the head that the log begins behind: what was before was pruned.
func (p *pins) begin(head Head) {
	for i := range p.list {
		switch c := &p.list[i]; {
		case c.Pin.Position < head.Position:
			c.Verdict = PinPruned
		case c.Pin.Position > head.Position:
		case strings.HasPrefix(head.Hash.String(), c.Pin.Hash):
			c.Verdict, c.Found = PinFound, head
		default:
			c.Verdict, c.Found = PinRewritten, head
		}
	}
}

func (p *pins) meet(e *Entry) {
	for i := range p.list {
		c, head := &p.list[i], e.Head()
		same := [minPinDigits / 2]byte(e.Hash[:]) == p.starts[i] && strings.HasPrefix(e.Hash.String(), c.Pin.Hash)
		switch {
		case c.Verdict == PinFound:
		case same && head.Position == c.Pin.Position:
			c.Verdict, c.Found = PinFound, head
		case same:
			c.Verdict, c.Found = PinMistaken, head
		case e.First <= c.Pin.Position && c.Pin.Position <= head.Position && c.Verdict != PinMistaken:
			c.Verdict, c.Found = PinRewritten, head
		}
	}
}

// checks returns the verdicts. last is the head of the last sound commit; hidden says that there is
// more behind it, which cannot be read.
func (p *pins) checks(last Head, hidden bool) []PinCheck {
	for i := range p.list {
		c := &p.list[i]
		if c.Verdict == PinMissing && (hidden || c.Pin.Position <= last.Position) {
			c.Verdict = PinUnreadable
		}
	}
	return p.list
}
