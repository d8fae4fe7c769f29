package shape

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf16"

	"parley/shared/parley"
)

// MetadataHash is the hash by which clients compare metadata: 8 hex digits of the
// SHA-256 of what JavaScript's JSON.stringify makes of it with its keys in order; ""
// for none. A wrong one costs every page load a request.
func MetadataHash(m parley.Scalars) string {
	if len(m) == 0 {
		return ""
	}
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, compareKeys)
	b := []byte{'{'}
	for i, k := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, k), ':')
		b = appendScalar(b, m[k])
	}
	sum := sha256.Sum256(append(b, '}'))
	return hex.EncodeToString(sum[:4])
}

// compareKeys orders keys as an object of JavaScript with sorted keys has them: array
// indices first, by number (ECMAScript, OrdinaryOwnPropertyKeys), then by UTF-16.
func compareKeys(a, b string) int {
	i, isIndex := arrayIndex(a)
	j, isIndexToo := arrayIndex(b)
	switch {
	case isIndex && isIndexToo:
		return cmp.Compare(i, j)
	case isIndex:
		return -1
	case isIndexToo:
		return 1
	}
	return slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)))
}

func arrayIndex(s string) (uint64, bool) {
	n, err := strconv.ParseUint(s, 10, 32)
	return n, err == nil && n < 1<<32-1 && strconv.FormatUint(n, 10) == s
}

// appendScalar writes a value as JavaScript would.
func appendScalar(b []byte, raw json.RawMessage) []byte {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return append(b, "null"...)
	}
	switch v := v.(type) {
	case string:
		return appendString(b, v)
	case float64:
		if v == 0 {
			return append(b, '0') // there is a negative one
		}
		number, _ := json.Marshal(v) // in the form of ECMAScript, and always finite
		return append(b, number...)
	}
	return append(b, bytes.TrimSpace(raw)...)
}

func appendString(b []byte, s string) []byte {
	const short = "\b\f\n\r\t\"\\"
	const letters = "bfnrt\"\\"
	b = append(b, '"')
	for _, r := range s {
		if i := bytes.IndexRune([]byte(short), r); i >= 0 {
			b = append(b, '\\', letters[i])
		} else if r < 0x20 {
			b = fmt.Appendf(b, `\u%04x`, r)
		} else {
			b = append(b, string(r)...)
		}
	}
	return append(b, '"')
}
