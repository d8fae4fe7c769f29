package docs_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"parley/shared/agent"
	"parley/shared/agent/docs"
)

// files is a folder of articles.
func files(texts map[string]string) fstest.MapFS {
	all := fstest.MapFS{}
	for name, text := range texts {
		all[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return all
}

const article = "---\ntitle: \"The manual\"\nkeywords: handbook\n---\n" + `Before any heading: walnut.

# The manual

Under the title: chestnut.

## Setup ##

Hazelnut. <!-- a remark -->

` + "```sh\n# not a heading: almond\n## nor this\n```" + `

### With ` + "`make run`" + ` & more

Pistachio.

## Setup

<!-- keywords: zebra -->

Cashew. See [there](#setup), [other](other.md#x), [up](../README.md), [abs](https://a.example/b), [root](/r) and ` + "`[no](link.md)`" + `.

![A peanut](peanut.png)

#hashtag is no heading

## Empty
`

func TestSearchFindsSections(t *testing.T) {
	a := newAgent(t, files(map[string]string{
		"guide/manual.md": article,
		"guide/other.md":  "No title here: macadamia.\n",
		"notes.txt":       "macadamia",
	}), "https://docs.example/p")
	tests := []struct{ query, title, url string }{
		{"walnut", "The manual", "https://docs.example/p/guide/manual.md"},
		{"chestnut", "The manual", "https://docs.example/p/guide/manual.md"},
		{"hazelnuts", "The manual › Setup", "https://docs.example/p/guide/manual.md#setup"},
		{"almond", "The manual › Setup", "https://docs.example/p/guide/manual.md#setup"},
		{"pistachio", "The manual › With make run & more", "https://docs.example/p/guide/manual.md#with-make-run--more"},
		{"cashew", "The manual › Setup", "https://docs.example/p/guide/manual.md#setup-1"},
		{"zebra", "The manual › Setup", "https://docs.example/p/guide/manual.md#setup-1"},
		{"hashtag", "The manual › Setup", "https://docs.example/p/guide/manual.md#setup-1"},
		{"macadamia", "other", "https://docs.example/p/guide/other.md"},
	}
	for _, test := range tests {
		found := a.Search(test.query, 1)
		if len(found) != 1 || found[0].Title != test.title || found[0].URL != test.url {
			t.Errorf("Search(%q) = %+v, want %q at %s", test.query, found, test.title, test.url)
		}
	}
	if found := a.Search("crocodile", 5); len(found) != 0 {
		t.Errorf("Search for what is nowhere = %+v", found)
	}
	if found := a.Search("handbook", 9); len(found) != 5 || found[0].Score < found[4].Score {
		t.Errorf("the article's keyword found %d sections, want all 5, best first", len(found))
	}
	if found := a.Search("handbook", 2); len(found) != 2 {
		t.Errorf("Search(n = 2) found %d sections", len(found))
	}
}

func TestPassagesLeadAnywhere(t *testing.T) {
	text := func(base string) string {
		a := newAgent(t, files(map[string]string{"guide/manual.md": article}), base)
		return a.Search("cashew", 1)[0].Text
	}
	tests := []struct{ base, want, root string }{
		{"https://docs.example/p/", "[there](https://docs.example/p/guide/manual.md#setup), [other](https://docs.example/p/guide/other.md#x), [up](https://docs.example/p/README.md)", "[root](https://docs.example/r)"},
		{"http://localhost:3000/help", "[there](http://localhost:3000/help/guide/manual.md#setup), [other](http://localhost:3000/help/guide/other.md#x), [up](http://localhost:3000/help/README.md)",
			"[root](http://localhost:3000/r)"},
		{"", "there, other, up", "root"},
	}
	for _, test := range tests {
		got := text(test.base)
		if !strings.Contains(got, test.want) || !strings.Contains(got, "[abs](https://a.example/b), "+test.root+" and `[no](link.md)`") {
			t.Errorf("with base %q: %s\nwant %s", test.base, got, test.want)
		}
		if strings.Contains(got, "![") || strings.Contains(got, "zebra") {
			t.Errorf("an image or a comment is left in %s", got)
		}
	}
}

func TestTextIsNotBrokenIntoLines(t *testing.T) {
	a := newAgent(t, files(map[string]string{"a.md": "# T\n\n## Walnuts\n\nOne\nsentence.  \nA break\\\nand 一\n二.\n\n" +
		"- an item\n  goes on\n- another\n1. third\n   on\n\n| a | b |\n| - | - |\n| c | d |\n\n> quoted\n> text\n\n```\ncode\nstays\n```\n\n    this\n    too\n"}), "")
	want := "One sentence.  \nA break\\\nand 一二.\n\n- an item goes on\n- another\n1. third on\n\n| a | b |\n| - | - |\n| c | d |\n\n" +
		"> quoted\n> text\n\n```\ncode\nstays\n```\n\n    this\n    too"
	if got := a.Search("walnuts", 1)[0].Text; got != want {
		t.Errorf("text = %q\nwant  %q", got, want)
	}
}

func TestQueriesFindOtherForms(t *testing.T) {
	a := newAgent(t, files(map[string]string{
		"a.md": "# One\n\n## Configuring webhooks\n\nThe endpoint must be reachable.\n\n## Café\n\nEspresso.\n\n## sendBeacon\n\nSent at the end.\n" +
			"\n## DynamoDB\n\nOne item.\n\n## Erasing data\n\nGone for good.\n\n## 退款政策\n\n三十天内可以退款。\n",
	}), "")
	for query, section := range map[string]string{
		"configuration of a webhook":       "configuring-webhooks",
		"How do I configure the web hook?": "configuring-webhooks",
		"webhoks":                          "configuring-webhooks",
		"wehbooks":                         "configuring-webhooks",
		"is there a cafe":                  "café",
		"CAFÉ":                             "café",
		"what's a beacon":                  "sendbeacon",
		"sendbeacon":                       "sendbeacon",
		"dynamo db":                        "dynamodb",
		"can I delete it?":                 "erasing-data",
		"怎么退款":                             "退款政策",
	} {
		if found := a.Search(query, 1); len(found) == 0 || found[0].Section != section {
			t.Errorf("Search(%q) = %+v, want section %s", query, found, section)
		}
	}
}

func TestSmallTalk(t *testing.T) {
	a := newAgent(t, os.DirFS("testdata/help"), "https://help.example/")
	says := docs.Texts()
	human := []string{
		"I want to talk to a human", "Can I speak with a real person please?", "connect me to an agent", "human please", "Agent!",
		"get me someone", "is there a real person here?", "I need a human", "let me talk to customer service", "transfer me to your support team",
		"How do I talk to a person?", "please escalate this", "Ich möchte mit einem Menschen sprechen", "quiero hablar con una persona",
		"Je veux parler à un conseiller", "Posso falar com um atendente?", "vorrei parlare con un operatore", "Kan ik met een medewerker praten?",
		"This is useless, I'd like to speak to someone from the team",
	}
	tests := map[string][]string{
		docs.TextHuman:    human,
		docs.TextGreeting: {"hi", "Hello!", "hey there", "Good morning", "Hallo", "¡Hola!", "hi, how are you?", "Bonjour", "help", "Can you help me please?"},
		docs.TextThanks:   {"thanks", "Thank you so much!", "ok great, thanks", "that worked", "Perfect!", "merci beaucoup", "Thanks, that helped", "it works now, thank you"},
		docs.TextGoodbye:  {"bye", "Thanks, bye!", "goodbye", "no thanks", "that's all", "No, nothing else", "see you later", "tschüss"},
		docs.TextWho:      {"are you a bot?", "Are you human?", "am I talking to a real person?", "who are you"},
	}
	for key, messages := range tests {
		for _, message := range messages {
			got := reply(t, a, message)
			if got.text != says[key] {
				t.Errorf("Reply(%q) = %q, want the text %s", message, got.text, key)
			}
			if got.result.Handover != (key == docs.TextHuman) || got.result.Goodbye != (key == docs.TextGoodbye) ||
				got.result.LikelyResolved != (key == docs.TextThanks || key == docs.TextGoodbye) {
				t.Errorf("Reply(%q) ended with %+v", message, got.result)
			}
		}
	}
}

func TestQuestionsAreNoSmallTalk(t *testing.T) {
	a := newAgent(t, os.DirFS("testdata/help"), "https://help.example/")
	for _, message := range []string{
		"Can my visitors talk to a person?", "How does a human take over a chat?", "thanks, but how do I cancel my order?",
		"hi, where is my parcel?", "I want an agent that answers from my own articles", "does a customer speak to a person at night",
		"what can an operator see", "ok and how do I return it?", "yes", "sure", "no", "agents", "operators", "service",
	} {
		got := reply(t, a, message)
		for key, text := range docs.Texts() {
			if key != docs.TextNothing && got.text == text {
				t.Errorf("Reply(%q) = %q, which answers no question", message, text)
			}
		}
	}
}

func TestDeclinesAndOffersAHuman(t *testing.T) {
	a := newAgent(t, os.DirFS("testdata/help"), "https://help.example/")
	declined := reply(t, a, "How tall is the Eiffel tower?")
	if declined.text != docs.Texts()[docs.TextNothing] || declined.result.Handover || len(declined.result.Sources) != 0 {
		t.Errorf("Reply = %q, %+v, want that nothing was found", declined.text, declined.result)
	}
	if accepted := reply(t, a, "How tall is the Eiffel tower?", "Yes, please!"); !accepted.result.Handover {
		t.Errorf("agreeing to the offer = %q, want a handover", accepted.text)
	}
	if accepted := reply(t, a, "Are you a bot?", "yes"); !accepted.result.Handover {
		t.Errorf("agreeing to talk to a person = %q, want a handover", accepted.text)
	}
	if done := reply(t, a, "thanks!", "No."); !done.result.Goodbye {
		t.Errorf("wanting nothing else = %q, want a goodbye", done.text)
	}
	if empty := reply(t, a, "  "); empty.text != declined.text {
		t.Errorf("an empty message = %q, want that nothing was found", empty.text)
	}
}

func TestAnswersWithTheSectionAndItsLink(t *testing.T) {
	a := newAgent(t, os.DirFS("testdata/help"), "https://help.example/")
	got := reply(t, a, "How do I read the stock?")
	want := "```sh\n# all frames in size M\ncurl -H \"Authorization: Bearer $KEY\" 'https://api.wheelhouse.example/stock?size=M'\n```\n\n" +
		"The answer lists `sku`, `size` and `available`. Ask at most once a minute: the numbers change no sooner.\n\n" +
		"From [Partner API › Reading stock](https://help.example/api.md#reading-stock)"
	text, also, _ := strings.Cut(got.text, "\n\nSee also: ")
	if text != want {
		t.Errorf("Reply =\n%s\nwant\n%s", text, want)
	}
	links := strings.Count(also, "](https://help.example/")
	if links > 2 || len(got.result.Sources) != 1+links || got.result.Sources[0] != (agent.Source{
		Title: "Partner API › Reading stock", URL: "https://help.example/api.md#reading-stock"}) {
		t.Errorf("sources = %+v with %d links to see also", got.result.Sources, links)
	}
	if got.result.Usage != (agent.Usage{}) {
		t.Errorf("usage = %+v, want none", got.result.Usage)
	}
}

// TestWhereArticlesAre: what an answer links works from anywhere, or is no link.
func TestWhereArticlesAre(t *testing.T) {
	articles := files(map[string]string{"a.md": "# Trees\n\n## About walnuts [hard]\n\nWalnuts grow, see [nuts](b.md) and `[x](y)`.\n", "b.md": "# Nuts\n\nElse.\n"})
	nowhere := newAgent(t, articles, "")
	for _, test := range []struct {
		name             string
		agent            *docs.Agent
		says, link, nuts string
	}{
		{"nowhere", nowhere, `From Trees › About walnuts \[hard\]`, "", "nuts"},
		{"by the deployment", newAgent(t, articles, "https://help.example/de"), `From [Trees › About walnuts \[hard\]](https://help.example/de/a.md#about-walnuts-hard)`,
			"https://help.example/de/a.md#about-walnuts-hard", "[nuts](https://help.example/de/b.md)"},
		{"by the agent's settings", nowhere.At("http://shop.example/help"), `From [Trees › About walnuts \[hard\]](http://shop.example/help/a.md#about-walnuts-hard)`,
			"http://shop.example/help/a.md#about-walnuts-hard", "[nuts](http://shop.example/help/b.md)"},
		{"by settings that say nothing", nowhere.At(""), `From Trees › About walnuts \[hard\]`, "", "nuts"},
		{"by settings that are no address", nowhere.At("/help"), `From Trees › About walnuts \[hard\]`, "", "nuts"},
	} {
		got := reply(t, test.agent, "walnuts?")
		want := "Walnuts grow, see " + test.nuts + " and `[x](y)`.\n\n" + test.says
		if got.text != want || len(got.result.Sources) != 1 || got.result.Sources[0] != (agent.Source{Title: "Trees › About walnuts [hard]", URL: test.link}) {
			t.Errorf("%s: %q with %+v, want %q linking %q", test.name, got.text, got.result.Sources, want, test.link)
		}
	}
}

func TestLongSectionsAreShortened(t *testing.T) {
	sentence := "This sentence is about nothing in particular, e.g. the weather or the time of day. "
	rows := strings.Repeat("| a cell | another one of about this width, to fill the table |\n", 40)
	tests := []struct{ name, text, begins, ends, lacks string }{
		{"one paragraph", "Walnuts grow. " + strings.Repeat(sentence, 30), "Walnuts grow.", "time of day.\n\n…", ""},
		{"the fitting part", strings.Repeat(strings.Repeat(sentence, 4)+"\n\n", 6) + "Walnuts grow on trees.\n\nAfter that.", "…\n\nWalnuts grow on trees.", "After that.", ""},
		{"a table", "Walnuts:\n\n| a | b |\n| --- | --- |\n" + rows, "Walnuts:\n\n| a | b |", "|\n\n…", ""},
		{"a list", "Walnuts:\n\n" + strings.Repeat("- an item of the list, which goes on\n  in a second line\n", 40), "Walnuts:\n\n- an item", "which goes on in a second line\n\n…", ""},
		{"code that fits barely", "Walnuts: " + strings.Repeat(sentence, 5) + "\n\n```\n" + strings.Repeat("code and more of it\n", 50) + "```\n\nMore.", "Walnuts:", "```\n\n…", ""},
		{"code too long", "Walnuts.\n\n```\n" + strings.Repeat("code and more of it\n", 100) + "```", "Walnuts.", "Walnuts.\n\n…", "```"},
		{"nothing but long code", "```go\nwalnuts\n" + strings.Repeat("code and more of it\n", 100) + "```", "```go\nwalnuts\n", "more of it\n```\n\n…", ""},
		{"no place to cut", "walnuts" + strings.Repeat("日本", 900), "walnuts日本", "\n\n…", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := newAgent(t, files(map[string]string{"a.md": "# Trees\n\n## About walnuts\n\n" + test.text + "\n", "b.md": "# Other\n\n## Thing\n\nElse.\n"}), "https://help.example")
			got := reply(t, a, "walnuts?").text
			quoted, _, ok := strings.Cut(got, "\n\nFrom [Trees › About walnuts](https://help.example/a.md#about-walnuts)")
			if !ok || !strings.HasPrefix(quoted, test.begins) || !strings.HasSuffix(quoted, test.ends) {
				t.Errorf("quoted %q, want it to begin with %q and end with %q", quoted, test.begins, test.ends)
			}
			if len(quoted) > 2500 || !utf8.ValidString(quoted) || strings.Count(quoted, "```")%2 != 0 {
				t.Errorf("quoted %d bytes, want at most 2,500, valid, its code closed", len(quoted))
			}
			if test.lacks != "" && strings.Contains(quoted, test.lacks) {
				t.Errorf("quoted %q, want no %q", quoted, test.lacks)
			}
		})
	}
}

func TestProjectsSayItTheirWay(t *testing.T) {
	german := func(key, language string) string {
		if language == "de" && key == docs.TextFrom {
			return "Aus {article}"
		}
		return ""
	}
	configured, err := docs.New(docs.Config{Articles: os.DirFS("testdata/help"), BaseURL: "https://help.example/", Texts: german})
	if err != nil {
		t.Fatal(err)
	}
	standard := newAgent(t, os.DirFS("testdata/help"), "https://help.example/")
	tests := []struct {
		name     string
		agent    *docs.Agent
		language string
		want     string
	}{
		{"configured", configured, "de", "Aus [Partner API › Webhooks](https://help.example/api.md#webhooks)"},
		{"another language", configured, "en", "From [Partner API › Webhooks](https://help.example/api.md#webhooks)"},
		{"a project's", standard.WithTexts(german), "de", "Aus [Partner API › Webhooks](https://help.example/api.md#webhooks)"},
		{"beside a project's", standard, "de", "From [Partner API › Webhooks](https://help.example/api.md#webhooks)"},
		{"none of its own", configured.WithTexts(nil), "de", "From [Partner API › Webhooks](https://help.example/api.md#webhooks)"},
	}
	for _, test := range tests {
		var text strings.Builder
		c := agent.Conversation{Language: test.language, Turns: []agent.Turn{{Role: agent.Visitor, Text: "webhooks"}}}
		if _, err := test.agent.Reply(t.Context(), c, func(delta string) error { text.WriteString(delta); return nil }); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(text.String(), test.want) {
			t.Errorf("%s: %q, want %q in it", test.name, text.String(), test.want)
		}
	}
}

func TestRepliesStreamAtTheirPace(t *testing.T) {
	conversation := agent.Conversation{Turns: []agent.Turn{{Role: agent.Visitor, Text: "webhooks"}}}
	synctest.Test(t, func(t *testing.T) {
		a, err := docs.New(docs.Config{Articles: os.DirFS("testdata/help"), Pace: docs.DefaultPace})
		if err != nil {
			t.Fatal(err)
		}
		start, deltas := time.Now(), 0
		if _, err := a.Reply(t.Context(), conversation, func(delta string) error {
			if words := len(strings.Fields(delta)); words == 0 || words > 3 {
				t.Errorf("a piece %q of %d words", delta, words)
			}
			deltas++
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != time.Duration(deltas-1)*docs.DefaultPace || deltas < 10 {
			t.Errorf("%d pieces in %v, want %v between two", deltas, took, docs.DefaultPace)
		}

		ctx, cancel := context.WithCancel(t.Context())
		deltas = 0
		_, err = a.Reply(ctx, conversation, func(string) error { deltas++; cancel(); return nil })
		if !errors.Is(err, context.Canceled) || deltas != 1 {
			t.Errorf("Reply = %v after %d pieces, want %v after 1", err, deltas, context.Canceled)
		}
		gone := errors.New("gone")
		if _, err := a.Reply(t.Context(), conversation, func(string) error { return gone }); err != gone {
			t.Errorf("Reply = %v, want %v", err, gone)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	long := strings.Repeat("long ", 1<<18)
	for name, config := range map[string]docs.Config{
		"no file system": {},
		"no articles":    {Articles: files(map[string]string{"a.txt": "text"})},
		"empty articles": {Articles: files(map[string]string{"a.md": "# Title\n\n## Heading\n"})},
		"a huge article": {Articles: files(map[string]string{"a.md": long})},
		"a relative URL": {Articles: files(map[string]string{"a.md": "text"}), BaseURL: "/help/"},
		"a bad URL":      {Articles: files(map[string]string{"a.md": "text"}), BaseURL: "http://[broken"},
		"no folder":      {Articles: os.DirFS("testdata/none")},
	} {
		if _, err := docs.New(config); err == nil || !strings.HasPrefix(err.Error(), "docs: ") {
			t.Errorf("New with %s = %v, want an error", name, err)
		}
	}
}

// FuzzArticle takes any article apart: whatever it holds, its sections can be
// searched, each word of it finds a section, and answers are sound Markdown of
// bounded length.
func FuzzArticle(f *testing.F) {
	f.Add(article)
	f.Add("---\nkeywords: a\n# b\n---\n```\n# c\n~~~\n```\n\n- d\n\n    e\n")
	f.Add("# \n## []()\n<!-- keywords: -->\n|\n|-|\n[x](%zz) ![](\n\xff\xfe")
	f.Add("## a\n" + strings.Repeat("x", 3000) + "\n~~~~ info\n```\n" + strings.Repeat("y\n", 2000))
	f.Fuzz(func(t *testing.T, text string) {
		a, err := docs.New(docs.Config{Articles: files(map[string]string{"a.md": text}), BaseURL: "https://docs.example/"})
		if err != nil {
			return
		}
		for _, query := range []string{text[:min(len(text), 200)], "a b c d e", "setup walnut"} {
			for _, p := range a.Search(query, 3) {
				if p.Article != "a.md" || strings.TrimSpace(p.Text) == "" || !utf8.ValidString(p.Text) || p.Score < 0 || p.Score > 1 {
					t.Errorf("Search(%q) found %+v", query, p)
				}
			}
			got := reply(t, a, query)
			if len(got.text) > 10_000+len(text)/2 || !utf8.ValidString(got.text) {
				t.Errorf("Reply(%q) = %d bytes, valid: %v", query, len(got.text), utf8.ValidString(got.text))
			}
			if slices.Contains(got.deltas, "") {
				t.Errorf("Reply(%q) emitted an empty delta", query)
			}
			if endsInCode(got.text) {
				t.Errorf("Reply(%q) ends within a block of code:\n%s", query, got.text)
			}
		}
	})
}

// endsInCode is whether a block of code is open at the end of a text.
func endsInCode(text string) bool {
	open := ""
	for line := range strings.SplitSeq(text, "\n") {
		bare := strings.TrimLeft(line, " ")
		if len(line)-len(bare) > 3 || bare == "" || bare[0] != '`' && bare[0] != '~' {
			continue
		}
		info := strings.TrimLeft(bare, bare[:1])
		fence := bare[:len(bare)-len(info)]
		switch {
		case len(fence) < 3 || open == "" && fence[0] == '`' && strings.Contains(info, "`"):
		case open == "":
			open = fence
		case fence[0] == open[0] && len(fence) >= len(open) && strings.TrimSpace(info) == "":
			open = ""
		}
	}
	return open != ""
}
