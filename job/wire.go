package job

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"
)

// The append functions write one field and nothing at all for its zero value, which is how proto3
// writes fields without presence. Each goes with the reader's method that is named next to it.

func appendUint(dst []byte, num protowire.Number, v uint64) []byte { // reader.uint, reader.int
	if v == 0 {
		return dst
	}
	return protowire.AppendVarint(protowire.AppendTag(dst, num, protowire.VarintType), v)
}

func appendSint(dst []byte, num protowire.Number, v int64) []byte { // reader.sint
	return appendUint(dst, num, protowire.EncodeZigZag(v))
}

func appendBool(dst []byte, num protowire.Number, v bool) []byte { // reader.bool
	if !v {
		return dst
	}
	return appendUint(dst, num, 1)
}

// appendTime writes Unix nanoseconds as sfixed64. Those of our century need 61 bits: a varint would
// take 9 bytes and a loop to read, this takes 8 bytes and one load.
func appendTime(dst []byte, num protowire.Number, v int64) []byte { // reader.time
	if v == 0 {
		return dst
	}
	return appendFixed64(dst, num, uint64(v))
}

func appendFixed64(dst []byte, num protowire.Number, v uint64) []byte {
	return protowire.AppendFixed64(protowire.AppendTag(dst, num, protowire.Fixed64Type), v)
}

func appendText[T ~string | ~[]byte](dst []byte, num protowire.Number, v T) []byte { // reader.text, reader.bytes
	if len(v) == 0 {
		return dst
	}
	return appendElement(dst, num, v)
}

// appendElement writes a text even if it is empty, as an element of a list must be.
func appendElement[T ~string | ~[]byte](dst []byte, num protowire.Number, v T) []byte {
	dst = protowire.AppendTag(dst, num, protowire.BytesType)
	dst = protowire.AppendVarint(dst, uint64(len(v)))
	return append(dst, v...)
}

func appendTexts(dst []byte, num protowire.Number, list []string) []byte {
	for _, v := range list {
		dst = appendElement(dst, num, v)
	}
	return dst
}

// appendPacked writes a list of numbers in one field, as proto3 does.
func appendPacked[T ~uint64](dst []byte, num protowire.Number, list []T) []byte { // reader.packed
	if len(list) == 0 {
		return dst
	}
	size := 0
	for _, v := range list {
		size += protowire.SizeVarint(uint64(v))
	}
	dst = protowire.AppendVarint(protowire.AppendTag(dst, num, protowire.BytesType), uint64(size))
	for _, v := range list {
		dst = protowire.AppendVarint(dst, uint64(v))
	}
	return dst
}

// appendMap writes the entries in the order of their keys, so that equal events have equal bytes.
func appendMap(dst []byte, num protowire.Number, m map[string]string) []byte { // reader.entry
	if len(m) == 0 {
		return dst
	}
	keys := make([]string, 0, 16)
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		size := 2 + protowire.SizeBytes(len(k)) + protowire.SizeBytes(len(m[k]))
		dst = protowire.AppendTag(dst, num, protowire.BytesType)
		dst = protowire.AppendVarint(dst, uint64(size))
		dst = appendElement(dst, 1, k)
		dst = appendElement(dst, 2, m[k])
	}
	return dst
}

// reader takes an encoded message apart, field by field:
//
//	for r.next() {
//		switch r.num {
//		case 1:
//			e.Job = Position(r.uint())
//		default:
//			r.skip()
//		}
//	}
//
// After the first error next returns false and err says what was wrong with field num.
type reader struct {
	data   []byte // never changed: moving on in it stores no pointer, and so needs no write barrier
	at     int    // what was read of it
	shared bool   // data is the memory of a string, which nobody will write to: texts may share it
	num    protowire.Number
	typ    protowire.Type
	err    error
}

// readerOf reads from a string's own memory.
func readerOf(data string) reader {
	return reader{data: unsafe.Slice(unsafe.StringData(data), len(data)), shared: true}
}

var (
	errWireType = errors.New("wrong wire type")
	errRange    = errors.New("number out of range")
	errLength   = errors.New("wrong length")
)

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.at = len(r.data)
}

// failure is nil, or the reader's error as the caller of DecodeEvent gets it.
func (r *reader) failure(k Kind) error {
	if r.err == nil {
		return nil
	}
	return fmt.Errorf("%w: %v, field %d: %w", ErrDecode, k, r.num, r.err)
}

// next goes to the next field. Its value must then be read or skipped.
func (r *reader) next() bool {
	if r.at >= len(r.data) {
		return false
	}
	if tag := r.data[r.at]; tag >= 1<<3 && tag < 0x80 { // a field number below 16
		r.num, r.typ = protowire.Number(tag>>3), protowire.Type(tag&7)
		r.at++
		return true
	}
	num, typ, n := protowire.ConsumeTag(r.left())
	r.num, r.typ = num, typ
	return r.took(n)
}

func (r *reader) left() []byte { return r.data[r.at:] }

// took passes over n bytes, or fails with the error that n stands for.
func (r *reader) took(n int) bool {
	if n < 0 {
		r.fail(protowire.ParseError(n))
		return false
	}
	r.at += n
	return true
}

// skip passes over a field that this program does not know.
func (r *reader) skip() {
	r.took(protowire.ConsumeFieldValue(r.num, r.typ, r.left()))
}

func (r *reader) uint() uint64 {
	if r.typ != protowire.VarintType {
		r.fail(errWireType)
		return 0
	}
	if r.at < len(r.data) && r.data[r.at] < 0x80 {
		r.at++
		return uint64(r.data[r.at-1])
	}
	v, n := protowire.ConsumeVarint(r.left())
	r.took(n)
	return v
}

func (r *reader) int() int64  { return int64(r.uint()) }
func (r *reader) sint() int64 { return protowire.DecodeZigZag(r.uint()) }
func (r *reader) bool() bool  { return r.uint() != 0 }

func (r *reader) uint32() uint32 {
	v := r.uint()
	if v > math.MaxUint32 {
		r.fail(errRange)
	}
	return uint32(v)
}

// enum reads the number of an enum. Numbers that this program does not know are kept.
func (r *reader) enum() uint8 {
	v := r.uint()
	if v > math.MaxUint8 {
		r.fail(errRange)
	}
	return uint8(v)
}

// toInt32 bounds what int or sint has read.
func (r *reader) toInt32(v int64) int32 {
	if v != int64(int32(v)) {
		r.fail(errRange)
	}
	return int32(v)
}

func (r *reader) fixed64() uint64 {
	if r.typ != protowire.Fixed64Type {
		r.fail(errWireType)
		return 0
	}
	v, n := protowire.ConsumeFixed64(r.left())
	r.took(n)
	return v
}

func (r *reader) time() int64 { return int64(r.fixed64()) }

// raw returns a field's bytes without copying them.
func (r *reader) raw() []byte {
	if r.typ != protowire.BytesType {
		r.fail(errWireType)
		return nil
	}
	v, n := protowire.ConsumeBytes(r.left())
	r.took(n)
	return v
}

// bytes returns a copy, nil if it is empty: its receiver may write to it.
func (r *reader) bytes() []byte { return append([]byte(nil), r.raw()...) }

// packed reads numbers of a list onto list, whether they were written in one field or in one each.
func (r *reader) packed(list []Position) []Position {
	if r.typ != protowire.BytesType {
		return append(list, Position(r.uint()))
	}
	for data := r.raw(); len(data) > 0; {
		v, n := protowire.ConsumeVarint(data)
		if n < 0 {
			r.fail(protowire.ParseError(n))
			return list
		}
		list = append(list, Position(v))
		data = data[n:]
	}
	return list
}

// text does not check that the text is valid UTF-8, which Validate did before it was written: what is
// in a log must stay readable.
func (r *reader) text() string {
	b := r.raw()
	if r.shared {
		return unsafe.String(unsafe.SliceData(b), len(b))
	}
	return string(b)
}

// entry reads an entry of a map into m, which it makes if it is nil.
func (r *reader) entry(m map[string]string) map[string]string {
	var key, value string
	in := reader{data: r.raw(), shared: r.shared}
	for in.next() {
		switch in.num {
		case 1:
			key = in.text()
		case 2:
			value = in.text()
		default:
			in.skip()
		}
	}
	if in.err != nil {
		r.fail(in.err)
	}
	if r.err != nil {
		return m
	}
	if m == nil {
		m = map[string]string{}
	}
	m[key] = value
	return m
}
