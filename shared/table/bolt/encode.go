package bolt

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"parley/shared/boltfile"
	"parley/shared/table"
)

// errDamaged means that stored bytes are none that this package wrote.
var errDamaged = fmt.Errorf("%w, or of another version", boltfile.ErrDamaged)

// format begins every stored item. A change of the encoding needs another one.
const format = 1

// Types of attribute values, as stored.
const (
	typeString = 's'
	typeInt    = 'n'
	typeTrue   = 't'
	typeFalse  = 'f'
)

// appendItem appends an item: the format, the number of attributes, and for
// each in the order of names its name, type and value. Lengths are uvarints.
// No item is a single 0.
func appendItem(b []byte, item table.Item) []byte {
	if item == nil {
		return append(b, 0)
	}
	b = append(b, format)
	b = binary.AppendUvarint(b, uint64(len(item)))
	for _, name := range slices.Sorted(maps.Keys(item)) {
		b = appendString(b, name)
		switch v := item[name].(type) {
		case string:
			b = appendString(append(b, typeString), v)
		case int64:
			b = binary.AppendVarint(append(b, typeInt), v)
		case bool:
			if v {
				b = append(b, typeTrue)
			} else {
				b = append(b, typeFalse)
			}
		}
	}
	return b
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// decodeItem reads one stored item from the front of b and returns the rest.
func decodeItem(b []byte) (item table.Item, rest []byte, err error) {
	d := decoder{b: b}
	item = d.item()
	return item, d.b, d.err
}

// A decoder takes values off the front of b. After an error it yields zero values.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) item() table.Item {
	switch d.byte() {
	case 0:
		return nil
	case format:
	default:
		d.err = errDamaged
	}
	item := table.Item{}
	for n := d.uvarint(); n > 0 && d.err == nil; n-- {
		name := d.string()
		switch d.byte() {
		case typeString:
			item[name] = d.string()
		case typeInt:
			item[name] = d.varint()
		case typeTrue:
			item[name] = true
		case typeFalse:
			item[name] = false
		default:
			d.err = errDamaged
		}
	}
	return item
}

func (d *decoder) string() string { return string(d.take(d.uvarint())) }

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	d.skip(n)
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	d.skip(n)
	return v
}

// skip takes the n bytes of a number; none or fewer mean that there was none.
func (d *decoder) skip(n int) {
	if n <= 0 {
		d.err = errDamaged
		return
	}
	d.take(uint64(n))
}

func (d *decoder) take(n uint64) []byte {
	if d.err != nil || n > uint64(len(d.b)) {
		d.err = errDamaged
		return nil
	}
	taken := d.b[:n]
	d.b = d.b[n:]
	return taken
}
