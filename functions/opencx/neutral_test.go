package opencx_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"parley/functions/opencx"
	"parley/shared/browsertest"
)

// TestNeutralLooks: what is harmless stays as it is, and looks as it did.
func TestNeutralLooks(t *testing.T) {
	for text, want := range map[string]string{
		"plain":                   "plain",
		"**a** _b_ `c` & d > e":   "**a** _b_ `c` & d > e",
		"1 < 2, a<=b, <3, x <- y": "1 < 2, a<=b, <3, x <- y",
		"[a](https://x.example/?q=1&b=2) [b](/docs/a.md) [c](#x) [d](mailto:a@b.c) [e](my%20file.md)": "[a](https://x.example/?q=1&b=2) [b](/docs/a.md) [c](#x) [d](mailto:a@b.c) [e](my%20file.md)",
		"see <https://x.example/a>": "see https://x.example/a",
		"a <b>c</b>":                "a &lt;b>c&lt;/b>",
		"`<b>`":                     "`<\u2060b>`",
		"```html\n<b>\n```\n":       "```html\n<b>\n```\n",
		"Like so:\n\n```\n<b>\n[x](javascript:y)\n```": "Like so:\n\n```\n<b>\n[x](javascript:y)\n```",
		"- ```\n\n```\n<b>":                            "- ```\n\n```\n&lt;b>",
		"```\n<b>":                                     "```\n&lt;b>",
		"[x](javascript:y)":                            `[x]\(javascript:y)`,
		"[note]: Remember: this":                       `[note]\: Remember: this`,
		`\<b>`:                                         "\\<\u2060b>",
		"[x]([a](javascript:y))":                       `[x]\([a]\(javascript:y))`,
		"[x]([a]([b](javascript:y)))":                  `[x]\([a]\([b]\(javascript:y)))`,
		"[x](/a[b](javascript:y))":                     `[x](/a[b]\(javascript:y))`,
		"[x]([a]: javascript:y":                        `[x]\([a]\: javascript:y`,
	} {
		if got := opencx.Neutral(text); got != want {
			t.Errorf("neutral(%q) = %q, want %q", text, got, want)
		}
	}
}

// payloads do something where HTML is carried out, or a link is followed.
var payloads = []string{
	`<img src=x onerror=hit()>`, `<IMG/SRC=x/ONERROR=hit()>`, "<img\nsrc=x\nonerror=hit()>", `<script>hit()</script>`, `<svg/onload=hit()>`,
	`<a href="javascript:hit()">x</a>`, `</p><img src=x onerror=hit()>`, `<iframe srcdoc="<script>parent.hit()</script>"></iframe>`,
	`<style>@import "//x"</style>`, `<form action="javascript:hit()"><button>x</button></form>`, `<!--><img src=x onerror=hit()>-->`,
	`<![CDATA[<img src=x onerror=hit()>]]>`, `<?x <img src=x onerror=hit()>?>`, `<!x <img src=x onerror=hit()>>`, `<<img src=x onerror=hit()>`,
	`<javascript:hit()>`, `[x](javascript:hit())`, `[x](JaVaScRiPt:hit())`, `[x](java&Tab;script:hit())`, `[x](&#106;avascript:hit())`,
	`[x](javascript&colon;hit())`, `[x](javascript\:hit())`, `[x](<javascript:hit()>)`, "[x](\njavascript:hit())", "[x](<java\tscript:hit()>)",
	"[x](\x01javascript:hit())", "[x][y]\n\n[y]: javascript:hit()", "[y]:\n javascript:hit()\n\n[y]", "[y]: <javascript:hit()>\n\n[y]", "> [y]:\n> javascript:hit()\n\n[y]",
	"> [x](\n> javascript:hit())", `[x](data:text/html,<script>hit()</script>)`, `[x](vbscript:hit())`, `[![a](x)](javascript:hit())`, `[x](javascript:hit() "title")`,
	`[x]([a](javascript:hit()))`, `[x]([a](javascript:hit())`, `[x](/y[a](javascript:hit()))`, `[x](https://y/[a](javascript:hit()))`, `[x](<[a](javascript:hit())>)`,
	"[x]([y]\n\n[y]: javascript:hit()", `![x]([a](javascript:hit()))`, `[x]([![a](y)](javascript:hit()))`,
	`https://x"onmouseover="hit()`, `[x](https://x"onmouseover="hit())`, `![x" onerror="hit()](x)`, `![x](x"onerror="hit())`, `<https://x/onmouseover=hit()>`,
	`&lt;img src=x onerror=hit()&gt;`, `&#60;script&#62;hit()&#60;/script&#62;`,
}

// places are where a payload may stand, with "%s" for it.
var places = []string{
	"%s", "a %s b", "> %s", "- %s", "1. a\n\n   %s", "# %s", "    %s", "`a` %s", "`%s", "``a` %s ``", "\\%s", "\\\\%s", "**%s**", "[%s](/x)", "|a|\n|-|\n|%s|\n",
	"```\n```\n%s", "```\ncode\n```\n\n%s", "~~~\n%s\n~~~\n", "~~~\n```\n~~~\n%s", "- ```\n\n```\n%s\n```", "> ```\n\n```\n%s\n```\n", "```a`b\n%s\n```", "   ```\n\n```\n%s\n\n```\n",
	"a\n```\n%s", "\n```\n%s\n", "````\n\n```\n````\n%s\n```\n", "``` \n%s", "\t```\n\n```\n%s\n```", "- a\n\n  ```\n  x\n\n```\n%s", "<!--\n\n```\n-->\n%s\n```", "<pre>\n\n```\n</pre>%s\n```\n",
	"[a]:\n\n```\n%s\n```x\n", "$$\n```\n%s", "<details>\n\n%s\n\n</details>", "x\\\n%s", "```\n%s\n```\n%[1]s\n", "```js\n\n```js\n%s",
}

// TestNeutralDoesNothing renders all of it in a browser, with Markdown as the
// client's page has it: HTML is carried out. Nothing may become an element or an
// attribute that Markdown does not make, nor a link to anything but a page; and
// of a text that Markdown never saw, no element at all.
func TestNeutralDoesNothing(t *testing.T) {
	files := http.FileServer(http.Dir(filepath.Join("..", "..", "shared", "web", "files", "vendor", "marked")))
	mux := http.NewServeMux()
	mux.Handle("/marked/", http.StripPrefix("/marked/", files))
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, judgePage) })
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	server := httptest.NewServer(mux)
	defer server.Close()
	ctx := browsertest.New(t)
	if _, err := chromedp.Run(ctx, chromedp.Navigate(server.URL)); err != nil {
		t.Fatal(err)
	}
	judge := func(name string, texts []string) map[string][]string {
		b, err := json.Marshal(texts)
		if err != nil {
			t.Fatal(err)
		}
		found, err := chromedp.Run(ctx, chromedp.Evaluate[map[string][]string]("judgeAll("+name+","+string(b)+")", chromedp.EvalAwaitPromise))
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	var raw, written, plain []string
	for _, payload := range payloads {
		for _, place := range places {
			text := fmt.Sprintf(place, payload)
			raw = append(raw, text)
			written = append(written, opencx.Neutral(text))
			plain = append(plain, opencx.NeutralLine(text), opencx.NeutralLine(text[:len(text)*3/4]))
		}
	}
	// The judge is worth something if it finds the payloads, all but the ones that
	// are there for readers with mistakes of their own.
	bad, found := judge("markdown", raw), 0
	for i := range payloads {
		for j := range places {
			if bad[raw[i*len(places)+j]] != nil {
				found++
				break
			}
		}
	}
	if found < len(payloads)-10 {
		t.Errorf("the page takes only %d of %d payloads for dangerous as they were", found, len(payloads))
	}
	for text, why := range judge("markdown", written) {
		t.Errorf("%q does something: %s", text, strings.Join(why, "; "))
	}
	for text, why := range judge("markdown", plain) {
		t.Errorf("beginning %q does something: %s", text, strings.Join(why, "; "))
	}
	for text, why := range judge("html", plain) {
		t.Errorf("%q as HTML does something: %s", text, strings.Join(why, "; "))
	}
}

// judgePage finds what a text becomes that it should not.
const judgePage = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><body><script type="module">
import { marked } from "/marked/marked.esm.js";
const elements = new Set("P EM STRONG DEL CODE PRE A IMG UL OL LI BLOCKQUOTE H1 H2 H3 H4 H5 H6 HR BR TABLE THEAD TBODY TR TH TD INPUT".split(" "));
const attributes = new Set("href src alt title class start align type checked disabled".split(" "));
let hits = 0;
window.hit = () => { hits++; };
window.markdown = (text) => marked.parse(text, { gfm: true, async: false });
window.html = (text) => text;
function faults(root, made) {
  const found = [];
  for (const e of root.querySelectorAll("*")) {
    if (!made.has(e.nodeName)) found.push("element " + e.nodeName);
    for (const a of e.attributes) {
      if (!attributes.has(a.name)) found.push("attribute " + a.name);
    }
    if (e.nodeName === "A" && !["http:", "https:", "mailto:", "tel:", "ftp:"].includes(e.protocol)) found.push("link " + e.href);
    if (e.nodeName === "INPUT" && e.type !== "checkbox") found.push("input " + e.type);
  }
  return found;
}
window.judgeAll = async (render, texts) => {
  const bad = {};
  for (const text of texts) {
    const inert = new DOMParser().parseFromString(render(text), "text/html");
    const found = faults(inert.body, render === markdown ? elements : new Set());
    if (found.length) bad[text] = found;
    else {
      const root = document.createElement("div");
      root.innerHTML = render(text);
      document.body.append(root);
      for (const link of root.querySelectorAll("a")) {
        link.addEventListener("click", (e) => { if (link.protocol !== "javascript:") e.preventDefault(); });
        link.dispatchEvent(new MouseEvent("mouseover"));
        link.click();
      }
      root.remove();
      if (hits) bad[text] = ["ran"];
      hits = 0;
    }
  }
  await new Promise((done) => setTimeout(done, 50));
  if (hits) bad["any of them"] = ["ran later"];
  return bad;
};
</script>`

// FuzzNeutral: what is neutral stays as it is, and no link to a script is left that
// stands outside of code which every reader takes for code.
func FuzzNeutral(f *testing.F) {
	for _, payload := range payloads {
		f.Add(payload)
		f.Add("```\n" + payload + "\n```\n" + payload)
	}
	f.Add(strings.Repeat("[x](", 5000) + "javascript:hit()")
	f.Fuzz(func(t *testing.T, text string) {
		once := opencx.Neutral(text)
		if twice := opencx.Neutral(once); twice != once {
			t.Errorf("neutral(%q) = %q, and of that %q", text, once, twice)
		}
		line := opencx.NeutralLine(text)
		if again := opencx.NeutralLine(line); again != line {
			t.Errorf("neutralLine(%q) = %q, and of that %q", text, line, again)
		}
		if lower := strings.ToLower(line); strings.Contains(lower, "](javascript:") || strings.Contains(lower, "]:javascript:") {
			t.Errorf("neutralLine(%q) = %q", text, line)
		}
	})
}
