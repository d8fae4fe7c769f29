package socket

import "fmt"

// MaxFrame is the longest frame that a client may send or be sent, in bytes, as
// API Gateway's quotas for WebSocket APIs say. It closes connections for longer
// ones.
const MaxFrame = 32 << 10

// CheckFrame returns ErrTooLarge for a frame that may not be sent. Every Poster
// asks it before it sends, and Recovered before it answers.
func CheckFrame(frame []byte) error {
	if len(frame) > MaxFrame {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(frame), MaxFrame)
	}
	return nil
}
