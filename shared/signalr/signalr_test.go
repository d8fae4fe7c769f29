package signalr_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"parley/shared/signalr"
	"parley/shared/socket"
)

// frame joins records as a client does: "|" stands for the separator.
func frame(text string) []byte { return []byte(strings.ReplaceAll(text, "|", "\x1e")) }

func args(values ...string) (out []json.RawMessage) {
	for _, v := range values {
		out = append(out, json.RawMessage(v))
	}
	return out
}

func TestRead(t *testing.T) {
	type records = []signalr.Record
	for _, test := range []struct {
		frame string
		want  records
	}{
		{"", nil},
		{`{"protocol":"json","version":1}|`, records{{Protocol: "json", Version: 1}}},
		{`{"protocol":"messagepack","version":7,"more":[]}|`, records{{Protocol: "messagepack", Version: 7}}},
		{`{"type":6}|`, records{{Type: signalr.Ping}}},
		{` { "type" : 6 } |`, records{{Type: signalr.Ping}}},
		{`{"arguments":[{"content":"Hi"}],"invocationId":"0","target":"SendMessageAsync","type":1}|{"type":1,"target":"TypingAsync","arguments":[]}|`,
			records{{Type: 1, Target: "SendMessageAsync", ID: "0", Arguments: args(`{"content":"Hi"}`)}, {Type: 1, Target: "TypingAsync", Arguments: args()}}},
		{`{"type":1,"target":"a"}|`, records{{Type: 1, Target: "a"}}},
		{`{"type":1,"target":"a","arguments":{},"headers":7,"streamIds":{}}|`, records{{Type: 1, Target: "a", Shapeless: true}}},
		{`{"type":1,"target":"a","arguments":null,"invocationId":null}|`, records{{Type: 1, Target: "a", Shapeless: true}}},
		{`{"type":4,"target":"a","invocationId":"9","arguments":[1,2]}|`, records{{Type: 4, Target: "a", ID: "9", Arguments: args("1", "2")}}},
		{`{"type":2,"invocationId":7}|{"type":3,"target":9}|{"type":5}|{"type":8,"sequenceId":1}|{"type":9}|{"type":99}|{"type":-1}|`,
			records{{Type: 2}, {Type: 3}, {Type: 5}, {Type: 8}, {Type: 9}, {Type: 99}, {Type: -1}}},
		{`{"type":7,"error":"x","allowReconnect":true}|`, records{{Type: signalr.Close}}},
	} {
		got, err := signalr.Read(frame(test.frame))
		if err != nil || len(got) != len(test.want) {
			t.Errorf("Read(%s) = %+v, %v, want %+v", test.frame, got, err, test.want)
			continue
		}
		for i := range got {
			if len(got[i].Arguments) == 0 { // none is none
				got[i].Arguments, test.want[i].Arguments = nil, nil
			}
			if !reflect.DeepEqual(got[i], test.want[i]) {
				t.Errorf("Read(%s)[%d] = %+v, want %+v", test.frame, i, got[i], test.want[i])
			}
		}
	}
}

func TestReadRefuses(t *testing.T) {
	for _, test := range []struct {
		frame string
		want  error
	}{
		{`{"type":6}`, signalr.ErrTail},
		{`{"type":6}|{"type":6}`, signalr.ErrTail},
		{`nonsense`, signalr.ErrTail},
		{`|`, signalr.ErrMalformed},
		{`{"type":6}||`, signalr.ErrMalformed},
		{`nonsense|`, signalr.ErrMalformed},
		{`null|`, signalr.ErrMalformed},
		{`[]|`, signalr.ErrMalformed},
		{`6|`, signalr.ErrMalformed},
		{`{}|`, signalr.ErrMalformed},
		{`{"target":"a"}|`, signalr.ErrMalformed},
		{`{"type":"6"}|`, signalr.ErrMalformed},
		{`{"type":null}|`, signalr.ErrMalformed},
		{`{"type":6.5}|`, signalr.ErrMalformed},
		{`{"type":0}|`, signalr.ErrMalformed},
		{`{"type":6}{"type":6}|`, signalr.ErrMalformed},
		{`{"protocol":7,"version":1}|`, signalr.ErrMalformed},
		{`{"protocol":"json"}|`, signalr.ErrMalformed},
		{`{"protocol":"json","version":"1"}|`, signalr.ErrMalformed},
		{`{"type":6}|{"protocol":"json","version":1}|`, signalr.ErrMalformed},
		{`{"type":1}|`, signalr.ErrMalformed},
		{`{"type":1,"target":""}|`, signalr.ErrMalformed},
		{`{"type":1,"target":7}|`, signalr.ErrMalformed},
		{`{"type":1,"target":"a","invocationId":0}|`, signalr.ErrMalformed},
		{`{"type":4,"target":"a"}|`, signalr.ErrMalformed},
		{`{"type":1,"target":"a","invocationId":"` + strings.Repeat("7", 65) + `"}|`, signalr.ErrMalformed},
		{`{"type":1,"target":"a","invocationId":"` + strings.Repeat("<", 11) + `"}|`, signalr.ErrMalformed},
		{strings.Repeat(`{"type":6}|`, signalr.MaxRecords+1), signalr.ErrTooMany},
		{strings.Repeat(`|`, socket.MaxFrame), signalr.ErrTooMany},
	} {
		if got, err := signalr.Read(frame(test.frame)); !errors.Is(err, test.want) || got != nil {
			t.Errorf("Read(%.60s) = %+v, %v, want %v", test.frame, got, err, test.want)
		}
	}
	if got, err := signalr.Read(frame(strings.Repeat(`{"type":6}|`, signalr.MaxRecords))); err != nil || len(got) != signalr.MaxRecords {
		t.Errorf("Read of %d records = %d, %v", signalr.MaxRecords, len(got), err)
	}
}

// TestWrite pins what leaves the process, byte for byte.
func TestWrite(t *testing.T) {
	type result struct {
		ID string `json:"id"`
	}
	for _, test := range []struct {
		got  []byte
		want string
	}{
		{signalr.Accept(), `{}|`},
		{signalr.Refuse("no"), `{"error":"no"}|`},
		{signalr.Complete("0", nil), `{"type":3,"invocationId":"0"}|`},
		{signalr.Complete("1", result{"m"}), `{"type":3,"invocationId":"1","result":{"id":"m"}}|`},
		{signalr.Fail("2", "code: text"), `{"type":3,"invocationId":"2","error":"code: text"}|`},
		{signalr.Event("Error", result{"a\x1eb"}), `{"type":1,"target":"Error","arguments":[{"id":"a\u001eb"}]}|`},
		{signalr.Event("Error", result{"<&>"}), `{"type":1,"target":"Error","arguments":[{"id":"<&>"}]}|`},
		{signalr.KeepAlive(), `{"type":6}|`},
		{signalr.End(""), `{"type":7}|`},
		{signalr.End("why"), `{"type":7,"error":"why"}|`},
		{signalr.Reset("why"), `{"type":7,"error":"why","allowReconnect":true}|`},
	} {
		if !bytes.Equal(test.got, frame(test.want)) {
			t.Errorf("wrote %q, want %q", test.got, frame(test.want))
		}
	}
}

// FuzzRead: whatever a client sends, what is understood of it keeps the promises that
// its readers rely on, and means the same when it is sent again.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{`{"protocol":"json","version":1}|`, `{"type":6}|`, `{"type":1,"target":"a","arguments":[{}],"invocationId":"0"}|{"type":7}|`,
		`{"type":4,"target":"a","invocationId":"9"}|`, `|`, `{}|`, `{"type":1`, "{\"type\":1,\"target\":\"\xff\"}|"} {
		f.Add(frame(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		records, err := signalr.Read(in)
		if err != nil {
			if records != nil {
				t.Fatalf("records beside an error: %+v", records)
			}
			return
		}
		if len(records) > signalr.MaxRecords || len(records) != bytes.Count(in, []byte{0x1e}) {
			t.Fatalf("%d records of %q", len(records), in)
		}
		for i, r := range records {
			switch {
			case r.Type == signalr.Handshake && i > 0, r.Type == signalr.StreamInvocation && r.ID == "",
				r.Type == signalr.Invocation && r.Target == "":
				t.Fatalf("record %d of %q is %+v", i, in, r)
			}
			for _, a := range r.Arguments {
				if !json.Valid(a) {
					t.Fatalf("argument %q", a)
				}
			}
			whole(t, signalr.Fail(r.ID, "unknown_method: "+r.Target))
		}
	})
}

// FuzzWrite: no text makes a record that is cut in two or is no JSON.
func FuzzWrite(f *testing.F) {
	f.Add("0", "text")
	f.Add("\x1e", "a\x1eb\xff</script>")
	f.Fuzz(func(t *testing.T, id, text string) {
		for _, record := range [][]byte{signalr.Refuse(text), signalr.Complete(id, text), signalr.Fail(id, text), signalr.Event(text, id), signalr.End(text)} {
			whole(t, record)
		}
	})
}

// whole checks that bytes are one record.
func whole(t *testing.T, record []byte) {
	t.Helper()
	text, ended := bytes.CutSuffix(record, []byte{0x1e})
	if !ended || bytes.IndexByte(text, 0x1e) >= 0 || !json.Valid(text) {
		t.Fatalf("record %q", record)
	}
}
