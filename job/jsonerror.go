package job

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// JSONError is text that is not JSON, or not the JSON of one object.
type JSONError struct {
	Offset       int64  // bytes from the start of the text
	Line, Column int    // the same place for people: from 1, in characters
	Reason       string // what was found there and what was expected
}

func (e *JSONError) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Reason)
}

func newJSONError(data []byte, offset int64, reason string) *JSONError {
	before := data[:min(max(offset, 0), int64(len(data)))]
	return &JSONError{
		Offset: int64(len(before)),
		Line:   bytes.Count(before, []byte("\n")) + 1,
		Column: utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1,
		Reason: reason,
	}
}

const blanks = " \t\r\n" // what JSON takes for white space

// checkObject returns an error unless data is one JSON object, in valid UTF-8 throughout.
func checkObject(data []byte) *JSONError {
	start := len(data) - len(bytes.TrimLeft(data, blanks))
	switch {
	case !utf8.Valid(data):
		return newJSONError(data, int64(firstInvalid(data)), "found bytes that are not UTF-8")
	case start == len(data) || data[start] != '{':
		return newJSONError(data, int64(start), "found "+found(data, start)+", expected an object in { }")
	case !json.Valid(data):
		return syntaxError(data)
	}
	if i := loneSurrogate(data); i >= 0 {
		return newJSONError(data, int64(i), "found half of a surrogate pair, expected a character")
	}
	return nil
}

func firstInvalid(data []byte) int {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

// loneSurrogate returns where valid JSON escapes half of a character, or -1: encoding/json would
// replace it without a word. Backslashes stand only in strings.
func loneSurrogate(data []byte) int {
	for i := 0; i < len(data); i++ {
		if data[i] != '\\' {
			continue
		}
		first := surrogate(data[i:])
		if first == 0 {
			i++ // the escaped character is no backslash of its own
			continue
		}
		if first >= 0xdc00 || surrogate(data[i+6:]) < 0xdc00 {
			return i
		}
		i += 11
	}
	return -1
}

// surrogate returns the surrogate that text begins with as an escape (\ud83d), or 0.
func surrogate(text []byte) uint64 {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0
	}
	v, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	if err != nil || v < 0xd800 || v > 0xdfff {
		return 0
	}
	return v
}

// syntaxError says what is wrong with text that is not JSON.
func syntaxError(data []byte) *JSONError {
	// What would have been right is in encoding/json's message. At the end of the text it does not say
	// so: a character that is right nowhere brings it out.
	offset, message := syntax(data)
	if message == "unexpected end of JSON input" {
		_, message = syntax(append(bytes.Clone(data), 0))
	}
	return newJSONError(data, int64(offset), "found "+found(data, offset)+", "+expected(message))
}

func syntax(data []byte) (offset int, message string) {
	var raw json.RawMessage
	err := json.Unmarshal(data, &raw)
	syntax, ok := errors.AsType[*json.SyntaxError](err)
	if !ok {
		return 0, "" // cannot be: the text was found not to be valid
	}
	if syntax.Error() == "unexpected end of JSON input" {
		return len(data), syntax.Error()
	}
	return int(syntax.Offset) - 1, syntax.Error()
}

func found(data []byte, offset int) string {
	if offset >= len(data) {
		return "the end of the text"
	}
	switch r, _ := utf8.DecodeRune(data[offset:]); r {
	case '\n':
		return "the end of the line"
	case 0xfeff:
		return "a byte order mark"
	default:
		return strconv.QuoteRune(r)
	}
}

// expectations is in the order in which they are tried on the messages of encoding/json.
var expectations = []struct{ message, expected string }{
	{"looking for beginning of object key string", `expected a name in "double quotes"`},
	{"after object key:value pair", "expected a comma or }"},
	{"after object key", "expected a colon"},
	{"after array element", "expected a comma or ]"},
	{"after top-level value", "expected nothing more"},
	{"looking for beginning of value", "expected a value"},
	{"in string literal", `expected the closing " (a control character must be escaped)`},
	{"in string escape code", `expected one of " \ / b f n r t u after the backslash`},
	{`in \u hexadecimal character escape`, `expected four hexadecimal digits after \u`},
	{"in literal true", "expected true"},
	{"in literal false", "expected false"},
	{"in literal null", "expected null"},
	{"numeric literal", "expected a digit"},
	{"in exponent of numeric", "expected a digit"},
	{"exceeded max depth", "expected fewer levels of nesting"},
}

func expected(message string) string {
	for _, e := range expectations {
		if strings.Contains(message, e.message) {
			return e.expected
		}
	}
	return "expected JSON"
}
