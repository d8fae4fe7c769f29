package parley

import (
	"crypto/rand"
	"fmt"
)

// NewUUID returns a random UUID (version 4; RFC 9562, section 5.4), for protocols whose
// clients expect ids to be such.
func NewUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
