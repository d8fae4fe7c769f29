package chathubtest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"parley/functions/chathub"
	"parley/shared/parleytest"
	"parley/shared/signalr"
	"parley/shared/table"
)

// testWholeRecords: client.frame checks every frame of every test; here are those that
// are hard to get right.
func testWholeRecords(t *testing.T, s *suite) {
	c := s.page(t, nil).connect()
	odd := "a\x1eb\u2028</script>\x00\"\\"
	q := fresh("Say it ")
	s.Model.Script(q, steps(odd+" "+odd+"."))
	c.say(q)
	if m := c.hears(1); m.final != odd+" "+odd+"." {
		t.Errorf("final = %q", m.final)
	}
	c.fails(c.invoke("\x1e\x00é"), "unknown_method")
	var all strings.Builder
	for i := range signalr.MaxRecords {
		all.WriteString(invocation(strings.Repeat("9", 60)+strconv.Itoa(i), "SendMessageAsync", 1))
	}
	c.write(all.String())
	if got := c.frame(); len(got) != signalr.MaxRecords {
		t.Errorf("%d calls are answered with %d records", signalr.MaxRecords, len(got))
	}
}

func testJoined(t *testing.T, s *suite) {
	c := s.page(t, nil).connect()
	c.write(invocation("", "SendMessageAsync", message("one")) + invocation("0", "SendMessageAsync", message("two")) + invocation("1", "SendMessageAsync", message("three")))
	first := c.completion("0")
	second := c.completion("1")
	at := slices.IndexFunc(c.frames, func(f []record) bool { return slices.ContainsFunc(f, func(r record) bool { return r.is(3) }) })
	var done []string
	for _, r := range c.frames[at] {
		if r.is(3) {
			done = append(done, *r.InvocationID)
		}
	}
	if !slices.Equal(done, []string{"0", "1"}) {
		t.Errorf("completions in one frame: %q; %s", done, c.transcript())
	}
	if a, b := c.result(first), c.result(second); a.ConversationID != b.ConversationID || a.MessageID == b.MessageID {
		t.Errorf("results = %+v, %+v", a, b)
	}
	if got := c.said(c.result(first).ConversationID); !slices.Equal(got, []string{"one", "two", "three"}) {
		t.Errorf("stored: %q", got)
	}
}

// said are the user's messages of a session, as stored.
func (p *page) said(id string) []string {
	p.t.Helper()
	var out []string
	for _, line := range p.lines(id) {
		if text, mine := strings.CutPrefix(line, "user "); mine {
			out = append(out, text)
		}
	}
	return out
}

func testUnknownMethod(t *testing.T, s *suite) {
	c := s.page(t, nil).connect()
	for _, name := range []string{"Nothing", "sendMessageAsync", "SENDMESSAGEASYNC", "SendMessageAsync ", "toString"} {
		c.fails(c.invoke(name), "unknown_method")
		if n := len(c.errors()); n > 0 {
			t.Errorf("%s is told as an event too", name)
		}
	}
	c.quiet()
}

func testSend(t *testing.T, s *suite) {
	c := s.page(t, nil).connect()
	completed := func() bool {
		return slices.ContainsFunc(slices.Concat(c.frames...), func(r record) bool { return r.is(3) })
	}
	for i, bad := range []struct {
		method, code string
		arguments    []any
	}{
		{"Nothing", "unknown_method", nil},
		{"SendMessageAsync", "invalid_request", nil},
		{"SendMessageAsync", "invalid_request", []any{message("  ")}},
		{"SendMessageAsync", "message_too_large", []any{message(strings.Repeat("x", chathub.MaxContent+1))}},
	} {
		c.send(bad.method, bad.arguments...)
		c.frame()
		if got := c.errors(); len(got) != i+1 || got[i] != bad.code {
			t.Errorf("errors = %q, want %s", got, bad.code)
		}
	}
	for _, method := range []string{"TypingAsync", "CancelAsync"} {
		c.send(method)
		if got := c.frame(); len(got) != 1 || !got[0].is(6) {
			t.Errorf("%s is answered %s", method, c.transcript())
		}
	}
	q := fresh("Hello")
	c.send("SendMessageAsync", message(q))
	c.hears(1)
	if completed() || len(c.errors()) != 4 {
		t.Errorf("heard %s", c.transcript())
	}
}

func testCompletions(t *testing.T, s *suite) {
	c := s.page(t, nil).connect()
	for _, method := range []string{"TypingAsync", "CancelAsync"} {
		if r := c.invoke(method); r.Error != nil || r.Result != nil && string(r.Result) != "null" {
			t.Errorf("%s: %s", method, r.text)
		}
	}
	if r := c.invoke("TypingAsync", 1, "surplus"); r.Error != nil {
		t.Errorf("surplus arguments: %s", r.text)
	}
	c.result(c.invoke("SendMessageAsync", object{"content": "Hi", "more": 1}, "surplus"))
	for _, id := range []string{"0", "a-b", "007"} { // ids are the client's; one may come again
		c.write(invocation(id+"x", "TypingAsync"))
		c.completion(id + "x")
	}
}

// testPings: each ping is answered, and once the connection is settled costs nothing.
func testPings(t *testing.T, s *suite) {
	c := s.page(t, nil).connect()
	before := s.standing(t)
	for range 20 {
		c.quiet()
	}
	parleytest.Same(t, before, s.standing(t))
	c.write(`{"type":6}|{"type":6}|`)
	if got := c.frame(); len(got) == 0 {
		t.Error("two pings in a frame are not answered")
	}
}

// testTypingOnly: a client that types gets a record for every frame, for it does not
// ping meanwhile, and typing stores nothing.
func testTypingOnly(t *testing.T, s *suite) {
	c := s.page(t, nil).connect()
	c.say("Hello")
	c.hears(1)
	c.settles(1)
	before := s.standing(t)
	for i := range 15 {
		c.send("TypingAsync")
		if c.frame() == nil {
			t.Fatalf("frame %d is not answered", i)
		}
	}
	parleytest.Same(t, before, s.standing(t))
}

func testPanic(t *testing.T, s *suite) {
	c := s.page(t, nil).connect()
	s.Break()
	c.fails(c.invoke("TypingAsync"), "internal_error")
	s.Break()
	c.send("TypingAsync")
	c.await("another error", func(record) bool { return slices.Equal(c.errors(), []string{"internal_error", "internal_error"}) })
	c.say("Still here?")
	c.hears(1)
}

func testOtherTypes(t *testing.T, s *suite) {
	c := s.page(t, nil).connect()
	for _, text := range []string{`{"type":2,"invocationId":"1","item":1}|`, `{"type":3,"invocationId":"1","result":1}|`, `{"type":5,"invocationId":"1"}|`,
		`{"type":8,"sequenceId":1}|`, `{"type":9,"sequenceId":1}|`, `{"type":77}|`, `{"type":-1,"x":{}}|`, `{"type":5}|{"type":99}|`} {
		c.write(text)
		if got := c.frame(); len(got) != 1 || !got[0].is(6) {
			t.Errorf("%s is answered %+v", text, got)
		}
	}
	c.write(`{"type":4,"target":"SendMessageAsync","invocationId":"s","arguments":[{"content":"Hi"}]}|`)
	c.fails(c.completion("s"), "unknown_method")
	c.quiet()
}

// testBadInput: nothing that is wrong changes anything, and what makes no sense ends
// the connection with a record that says so, while others go on.
func testBadInput(t *testing.T, s *suite) {
	p := s.page(t, nil)
	cat := p.with("access_token", p.signed(user("cat")))
	cat.connect().leave()
	neighbour, c := p.connect(), p.with("access_token", p.signed(user("bob"))).connect()
	neighbour.say("Mine")
	neighbour.hears(1)
	neighbour.settles(1)
	c.say("Hello")
	c.hears(1)
	c.settles(1)
	before := s.standing(t)
	long := strings.Repeat("漢", chathub.MaxContent)
	for name, arguments := range map[string]string{
		"no arguments":        `[]`,
		"no list":             `{}`,
		"null":                `null`,
		"a text":              `"Hi"`,
		"content by itself":   `["Hi"]`,
		"a list":              `[[]]`,
		"null for the object": `[null]`,
		"no content":          `[{}]`,
		"content null":        `[{"content":null}]`,
		"content a number":    `[{"content":7}]`,
		"content an object":   `[{"content":{}}]`,
		"empty":               `[{"content":""}]`,
		"blank":               `[{"content":" \n\t\u00a0"}]`,
	} {
		c.write(fmt.Sprintf(`{"type":1,"target":"SendMessageAsync","invocationId":"b","arguments":%s}|`, arguments))
		if r := c.frame()[0]; r.Error == nil || !strings.HasPrefix(*r.Error, "invalid_request: ") {
			t.Errorf("%s: %s", name, r.text)
		}
	}
	for name, content := range map[string]string{"characters": strings.Repeat("x", chathub.MaxContent+1), "bytes": long} {
		r := c.invoke("SendMessageAsync", message(content))
		if c.fails(r, "message_too_large"); r.Error == nil {
			t.Errorf("too many %s: %s", name, r.text)
		}
	}
	same := func() {
		t.Helper()
		parleytest.Same(t, withoutConnections(before), withoutConnections(s.standing(t)))
	}
	same()
	for name, frame := range map[string]string{
		"no separator":        `{"type":6}`,
		"a tail":              invocation("0", "SendMessageAsync", message("Lost")) + `{"type":6}`,
		"no JSON":             invocation("0", "SendMessageAsync", message("Lost")) + "nonsense|",
		"no type":             `{"target":"SendMessageAsync"}|`,
		"type a text":         `{"type":"1"}|`,
		"a lone separator":    "|",
		"no target":           `{"type":1,"arguments":[]}|`,
		"an id that is none":  `{"type":1,"target":"TypingAsync","invocationId":0}|`,
		"a late handshake":    `{"type":6}|{"protocol":"json","version":1}|`,
		"too many records":    strings.Repeat(`{"type":6}|`, signalr.MaxRecords+1),
		"an id that is long":  `{"type":1,"target":"TypingAsync","invocationId":"` + strings.Repeat("0", 1000) + `"}|`,
		"a stream without id": `{"type":4,"target":"TypingAsync"}|`,
	} {
		d := cat.connect()
		d.write(frame)
		got := d.frame()
		if len(got) != 1 || !got[0].is(7) || got[0].Error == nil || *got[0].Error == "" || got[0].AllowReconnect {
			t.Errorf("%s is answered %+v", name, got)
		}
		if d.frame() != nil || d.ended == 0 {
			t.Errorf("%s: the connection goes on", name)
		}
	}
	same()
	neighbour.quiet()
	c.quiet()
	c.say(strings.Repeat("é", chathub.MaxContent))
	c.hears(2)
}

// withoutExpired is what stood before but for connections that had left then and are
// forgotten by now.
func withoutExpired(before, after map[table.Key]table.Item) map[table.Key]table.Item {
	rest := maps.Clone(before)
	maps.DeleteFunc(rest, func(k table.Key, item table.Item) bool {
		return strings.HasPrefix(k.PK, "~/connection/") && item.Bool("left") && after[k] == nil
	})
	return rest
}

// withoutConnections leaves out what only says who is connected, and what push has
// told them, which it notes after it has.
func withoutConnections(all map[table.Key]table.Item) map[table.Key]table.Item {
	rest := map[table.Key]table.Item{}
	for k, item := range all {
		if !strings.HasPrefix(k.PK, "~/connection/") && !strings.HasPrefix(k.SK, "connection/") && k.SK != "connection~" && k.SK != "mark/follow/push" && !strings.Contains(k.PK, "/resume/") {
			rest[k] = item
		}
	}
	return rest
}
