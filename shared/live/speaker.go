package live

import (
	"time"

	"parley/shared/parley"
)

// Speaker is how a dialect says what happens in a session, each thing as one whole
// frame of at most socket.MaxFrame bytes; nil where the dialect has no word for it.
type Speaker interface {
	// Typing says that a reply is being written, or no more.
	Typing(on bool) []byte
	// Piece continues a message by text, which is never empty.
	Piece(message, text string, at time.Time) []byte
	// Final ends a message: its last frame, after which nothing of it follows.
	Final(f Final) []byte
	// Ended says that a session has ended, by its entry, and that the connection ends
	// with it.
	Ended(id parley.SessionID, e parley.Entry) []byte
}

// Speakers returns those of all dialects that are spoken over sockets.
func Speakers() map[parley.Channel]Speaker {
	return map[parley.Channel]Speaker{parley.ChannelChatHub: ChatHub{}}
}

// Final is what the last frame of a message says.
type Final struct {
	// Message names it, Text is all of it: what its pieces had together. "" if nothing
	// was said, so that there is no message.
	Message string
	Text    string
	At      time.Time
	// Reply says that it ends what Typing began, Failed that the reply is not what it
	// should have been.
	Reply, Failed bool
}
