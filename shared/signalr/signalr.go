// Package signalr reads and writes the records of ASP.NET Core SignalR's hub
// protocol in JSON, as its JavaScript client speaks it over WebSockets. A record is
// a JSON object followed by the byte 0x1E; a frame is one or more whole records. The
// package keeps no state: what a record is for, its reader decides.
//
// The protocol: https://github.com/dotnet/aspnetcore/blob/main/src/SignalR/docs/specs/HubProtocol.md
package signalr

import (
	"bytes"
	"encoding/json"
	"errors"
)

// separator ends every record. JSON escapes control characters, so that it never
// occurs inside one.
const separator = 0x1E

// MaxRecords is how many records are read of one frame. Our choice: many times what
// a client joins that sends what an app says in one tick, and far below what fits
// into 32 KB of pings.
const MaxRecords = 100

// MaxIDBytes is the longest id of an invocation, in bytes as a string of JSON with its
// quotes. Our choice: SignalR's clients count, or take UUIDs, and an answer to
// MaxRecords invocations is far below 32 KB.
const MaxIDBytes = 66

// Type says what a record is.
type Type int

// The types. A client may send others, which mean nothing to a hub.
const (
	// Handshake is of the one record that has no type: the first of a connection.
	Handshake        Type = 0
	Invocation       Type = 1
	StreamItem       Type = 2
	Completion       Type = 3
	StreamInvocation Type = 4
	CancelInvocation Type = 5
	Ping             Type = 6
	Close            Type = 7
)

// Record is one record of a client.
type Record struct {
	Type Type
	// Protocol and Version are what a Handshake asks for.
	Protocol string
	Version  int
	// Target is the method that an Invocation or StreamInvocation is of, Arguments
	// what it is given. Shapeless says that there was something else than a list of
	// arguments; one that is left out is empty.
	Target    string
	Arguments []json.RawMessage
	Shapeless bool
	// ID is the id of the invocation, under which its Completion is due; "" where
	// none is, as of what a client sends without waiting.
	ID string
}

// Errors of Read. The connection has to be closed: what was meant is not known.
var (
	ErrTail      = errors.New("the frame does not end with a record separator")
	ErrMalformed = errors.New("a record is not a JSON object with a numeric type")
	ErrTooMany   = errors.New("the frame has too many records")
)

// Read returns the records of a frame, in their order. An empty frame has none. All
// of them are read before anything is returned: a frame with a broken record says
// nothing, as it does to a client.
func Read(frame []byte) ([]Record, error) {
	if len(frame) == 0 {
		return nil, nil
	}
	whole, ended := bytes.CutSuffix(frame, []byte{separator})
	if !ended {
		return nil, ErrTail
	}
	if bytes.Count(whole, []byte{separator}) >= MaxRecords {
		return nil, ErrTooMany
	}
	var records []Record
	for i, text := range bytes.Split(whole, []byte{separator}) {
		r, err := decode(text)
		if err != nil {
			return nil, err
		}
		if r.Type == Handshake && i > 0 {
			return nil, ErrMalformed // it is the first thing that a client says
		}
		records = append(records, r)
	}
	return records, nil
}

// decode reads one record without its separator. Fields that its type does not have
// are ignored, whatever they hold.
func decode(text []byte) (Record, error) {
	var in struct {
		Type      json.RawMessage `json:"type"`
		Protocol  json.RawMessage `json:"protocol"`
		Version   json.RawMessage `json:"version"`
		Target    json.RawMessage `json:"target"`
		Arguments json.RawMessage `json:"arguments"`
		ID        json.RawMessage `json:"invocationId"`
	}
	if !isObject(text) || json.Unmarshal(text, &in) != nil {
		return Record{}, ErrMalformed
	}
	var r Record
	if in.Type == nil {
		if in.Protocol == nil || json.Unmarshal(in.Protocol, &r.Protocol) != nil || json.Unmarshal(in.Version, &r.Version) != nil {
			return Record{}, ErrMalformed
		}
		return r, nil
	}
	if isNull(in.Type) || json.Unmarshal(in.Type, &r.Type) != nil || r.Type == Handshake {
		return Record{}, ErrMalformed
	}
	if r.Type != Invocation && r.Type != StreamInvocation {
		return r, nil
	}
	return r, r.invocation(in.Target, in.ID, in.Arguments)
}

// invocation takes the fields of an invocation. Without a target nobody knows what
// it is, and an id that is no text cannot be answered.
func (r *Record) invocation(target, id, arguments json.RawMessage) error {
	if target == nil || json.Unmarshal(target, &r.Target) != nil || r.Target == "" {
		return ErrMalformed
	}
	if id != nil && json.Unmarshal(id, &r.ID) != nil || r.Type == StreamInvocation && r.ID == "" {
		return ErrMalformed
	}
	if written, _ := json.Marshal(r.ID); len(written) > MaxIDBytes { // a string always encodes
		return ErrMalformed
	}
	r.Shapeless = arguments != nil && (json.Unmarshal(arguments, &r.Arguments) != nil || isNull(arguments))
	return nil
}

func isObject(text []byte) bool { return bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("{")) }

func isNull(text []byte) bool { return bytes.Equal(text, []byte("null")) }

// encode writes a record with its separator. What a hub sends always encodes, but for
// results and arguments of its caller's: a value that does not is a fault of the
// program. "<", ">" and "&" stay as they are, by which parley.EncodedBytes counts
// what fits into a frame.
func encode(record any) []byte {
	var text bytes.Buffer
	to := json.NewEncoder(&text)
	to.SetEscapeHTML(false)
	if err := to.Encode(record); err != nil {
		panic("signalr: a record that is not JSON: " + err.Error())
	}
	return append(bytes.TrimSuffix(text.Bytes(), []byte("\n")), separator)
}

// Accept answers a handshake.
func Accept() []byte { return encode(struct{}{}) }

// Refuse answers a handshake that is refused. The client fails to start with the
// text, which must not be empty.
func Refuse(text string) []byte {
	return encode(struct {
		Error string `json:"error"`
	}{text})
}

// Complete tells an invocation's result; nil is none. Only what has an id is told.
func Complete(id string, result any) []byte {
	return encode(struct {
		Type   Type   `json:"type"`
		ID     string `json:"invocationId"`
		Result any    `json:"result,omitempty"`
	}{Completion, id, result})
}

// Fail tells that an invocation has failed. The text is what its caller is told, and
// must not be empty: that counts as success.
func Fail(id, text string) []byte {
	return encode(struct {
		Type  Type   `json:"type"`
		ID    string `json:"invocationId"`
		Error string `json:"error"`
	}{Completion, id, text})
}

// Event raises an event of the client's with one argument. It has no id: the client
// would answer.
func Event(name string, argument any) []byte {
	return encode(struct {
		Type      Type   `json:"type"`
		Target    string `json:"target"`
		Arguments [1]any `json:"arguments"`
	}{Invocation, name, [1]any{argument}})
}

// KeepAlive is a ping. A client that hears nothing for long drops the connection.
func KeepAlive() []byte {
	return encode(struct {
		Type Type `json:"type"`
	}{Ping})
}

// End closes the connection for good: a client with automatic reconnect does not come
// back. The error is "" where it ends as it should.
func End(text string) []byte { return end(text, false) }

// Reset closes the connection so that a client with automatic reconnect comes back.
func Reset(text string) []byte { return end(text, true) }

func end(text string, again bool) []byte {
	return encode(struct {
		Type  Type   `json:"type"`
		Error string `json:"error,omitempty"`
		Again bool   `json:"allowReconnect,omitempty"`
	}{Close, text, again})
}
