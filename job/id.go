package job

import "math"

// idAlphabet holds the digits of made ids, in ascending order of ASCII, so that ids sort like the
// numbers in them. It is lower-case and lacks i, l, o and u, which are taken for others when an id is
// read aloud or typed (the alphabet of Crockford's base 32).
const idAlphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// idDigits is the value of each digit plus 1, 0 for what is none.
var idDigits = func() (values [256]uint8) {
	for i, digit := range []byte(idAlphabet) {
		values[digit] = uint8(i) + 1
	}
	return values
}()

const (
	idBits     = 5 // of a digit
	randDigits = 3 // at the end of a made id
	randMask   = 1<<(idBits*randDigits) - 1
)

// idClasses are the lengths of a position in a made id. The first digit tells which it is, so a longer
// one sorts after all shorter ones:
//
//	first digit   digits   positions
//	0–q (0–23)         4   0 – 786,431
//	r–x (24–29)        6   … – 202,113,023
//	y (30)             8   … – 34,561,851,391
//	z (31)            14   … – 2^64-1
//
// A class begins where the one before it ends: a position has one id, and an id one position.
var idClasses = [...]idClass{
	{lead: 0, digits: 4, first: 0},
	{lead: 24, digits: 6, first: 24 << 15},
	{lead: 30, digits: 8, first: 24<<15 + 6<<25},
	{lead: 31, digits: 14, first: 24<<15 + 6<<25 + 1<<35},
}

type idClass struct {
	lead   uint64   // the least first digit
	digits int      // with the first one
	first  Position // that is written with so many digits
}

// MadeID returns the id that the log makes for the job with this key when its author gave none: the
// position and three digits of random (the lowest 15 bits), which keep a guess or a typing error from
// naming another job. Ids are 7 characters long for the first 786,432 positions and then 9, sort by
// position, and can be typed.
func MadeID(key Position, random uint64) string {
	class := idClasses[0]
	for _, c := range idClasses[1:] {
		if key >= c.first {
			class = c
		}
	}
	var id [14 + randDigits]byte
	n := class.digits + randDigits
	random &= randMask
	for i := n - 1; i >= class.digits; i-- {
		id[i] = idAlphabet[random&(1<<idBits-1)]
		random >>= idBits
	}
	rest := uint64(key - class.first)
	for i := class.digits - 1; i > 0; i-- {
		id[i] = idAlphabet[rest&(1<<idBits-1)]
		rest >>= idBits
	}
	id[0] = idAlphabet[class.lead+rest]
	return string(id[:n])
}

// MadeIDRange returns the positions of the jobs whose ids begin with the text if [MadeID] made them: all from first
// to last. ok is false if no id that it makes begins so.
func MadeIDRange(beginning string) (first, last Position, ok bool) {
	if beginning == "" || idDigits[beginning[0]] == 0 {
		return 0, 0, false
	}
	class := classOf(uint64(idDigits[beginning[0]] - 1))
	if len(beginning) > class.digits+randDigits {
		return 0, 0, false
	}
	low, high := beginning, beginning
	for len(low) < class.digits+randDigits {
		low, high = low+idAlphabet[:1], high+idAlphabet[len(idAlphabet)-1:]
	}
	if first, ok = PositionOfMadeID(low); !ok {
		return 0, 0, false
	}
	if last, ok = PositionOfMadeID(high); !ok {
		last = math.MaxUint64 // of which the last digits are others
	}
	return first, last, true
}

// classOf returns the class of the ids that begin with this digit.
func classOf(lead uint64) *idClass {
	class := &idClasses[0]
	for i := range idClasses {
		if lead >= idClasses[i].lead {
			class = &idClasses[i]
		}
	}
	return class
}

// MadeIDs is the number of ids that [MadeID] makes for one position.
const MadeIDs = randMask + 1

// PositionOfMadeID returns the position that is written in an id of the form that [MadeID] makes. ok
// says that the id has that form; an author may have chosen such an id for a job with another key.
func PositionOfMadeID(id string) (key Position, ok bool) {
	if id == "" {
		return 0, false
	}
	if idDigits[id[0]] == 0 {
		return 0, false
	}
	lead := uint64(idDigits[id[0]] - 1)
	class := classOf(lead)
	if len(id) != class.digits+randDigits {
		return 0, false
	}
	value := lead - class.lead
	for i := 1; i < len(id); i++ {
		digit := uint64(idDigits[id[i]])
		if digit == 0 {
			return 0, false
		}
		if i >= class.digits {
			continue
		}
		if value>>(64-idBits) != 0 {
			return 0, false // more than 64 bits
		}
		value = value<<idBits | (digit - 1)
	}
	key = class.first + Position(value)
	return key, key >= class.first // not beyond 2^64-1
}
