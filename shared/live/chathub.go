package live

import (
	"time"

	"parley/shared/parley"
	"parley/shared/signalr"
)

// ChatHub speaks to pages of SignalR's chat hub.
type ChatHub struct{}

// chatHubTime is how the hub's clients are told times, in UTC.
const chatHubTime = "2006-01-02T15:04:05.000Z"

type chatHubMessage struct {
	ID        string `json:"messageId"`
	Content   string `json:"content"`
	IsChunk   bool   `json:"isChunk"`
	IsFinal   bool   `json:"isFinal"`
	Timestamp string `json:"timestamp"`
}

// Typing implements Speaker.
func (ChatHub) Typing(on bool) []byte {
	return signalr.Event("TypingIndicator", struct {
		On bool `json:"isTyping"`
	}{on})
}

// Piece implements Speaker.
func (ChatHub) Piece(message, text string, at time.Time) []byte {
	return signalr.Event("MessageReceived", chatHubMessage{ID: message, Content: text, IsChunk: true, Timestamp: at.UTC().Format(chatHubTime)})
}

// Final implements Speaker. What ends a reply shares its frame, the indicator last:
// some pages show nothing else of a failure.
func (c ChatHub) Final(f Final) []byte {
	var frame []byte
	if f.Text != "" {
		frame = signalr.Event("MessageReceived", chatHubMessage{ID: f.Message, Content: f.Text, IsFinal: true, Timestamp: f.At.UTC().Format(chatHubTime)})
	}
	if f.Failed {
		frame = append(frame, c.Error("generation_failed", "The reply could not be completed.")...)
	}
	if f.Reply {
		frame = append(frame, c.Typing(false)...)
	}
	return frame
}

// Error is the event by which the hub tells of what went wrong.
func (ChatHub) Error(code, message string) []byte {
	return signalr.Event("Error", struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}{code, message})
}

// Ended implements Speaker. A visitor who ends a session is told by the answer.
func (ChatHub) Ended(id parley.SessionID, e parley.Entry) []byte {
	if e.Author.Kind == parley.AuthorUser {
		return nil
	}
	reason := "agent_ended"
	switch parley.CloseReason(e.Reason) {
	case parley.CloseByIdle, parley.CloseByUnanswered, parley.CloseByPage:
		reason = "idle_timeout"
	}
	return append(ChatHubEnded(id, reason), signalr.End("")...)
}

// ChatHubEnded is the event that says that a session has ended; the record that ends
// the connection has to follow it.
func ChatHubEnded(id parley.SessionID, reason string) []byte {
	return signalr.Event("ConversationEnded", struct {
		ID     parley.SessionID `json:"conversationId"`
		Reason string           `json:"reason"`
	}{id, reason})
}
