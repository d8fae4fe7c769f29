package docs_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"parley/docs"
)

// article is one page, taken apart as far as these tests need.
type article struct {
	name string
	// prose is the text without code blocks; its lines are the page's.
	prose    []string
	headings []string
	fences   []fence
}

// fence is a code block.
type fence struct {
	line int    // of its beginning, from 1
	info string // what stands behind the opening mark, such as "json project"
	text string
}

// articles returns all pages, and the README, which lies a folder above.
func articles(t *testing.T) []article {
	t.Helper()
	names, err := fs.Glob(docs.FS, "*.md")
	if err != nil {
		t.Fatal(err)
	}
	var all []article
	for _, name := range names {
		text, err := docs.FS.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, parse(t, name, string(text)))
	}
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return append(all, parse(t, "../README.md", string(readme)))
}

// pages returns the articles, and what is written for who works on Parley, which
// nobody serves: it is named by its path from this folder.
func pages(t *testing.T) []article {
	t.Helper()
	all := articles(t)
	names, err := filepath.Glob("decisions/*.md")
	if err != nil || len(names) < 4 {
		t.Fatalf("decisions %q, %v, want an index and three records", names, err)
	}
	for _, name := range append(names, "../CONTRIBUTING.md", "../CHANGELOG.md") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, parse(t, filepath.ToSlash(name), string(text)))
	}
	return all
}

func parse(t *testing.T, name, text string) article {
	t.Helper()
	a := article{name: name}
	var open *fence
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSuffix(line, "\n")
		if info, ok := strings.CutPrefix(line, "```"); ok {
			if open == nil {
				open = &fence{line: n, info: info}
			} else {
				a.fences = append(a.fences, *open)
				open = nil
			}
			line = ""
		} else if open != nil {
			open.text += line + "\n"
			line = ""
		} else if heading, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && line[0] == '#' {
			a.headings = append(a.headings, heading)
		}
		a.prose = append(a.prose, line)
	}
	if open != nil {
		t.Fatalf("%s:%d: code block without an end", name, open.line)
	}
	return a
}

var notInAnchor = regexp.MustCompile(`[^\p{L}\p{M}\p{N}\p{Pc} -]`)

// anchor is the id that GitHub gives a heading.
func anchor(heading string) string {
	heading = strings.ToLower(strings.ReplaceAll(heading, "`", ""))
	return strings.ReplaceAll(notInAnchor.ReplaceAllString(heading, ""), " ", "-")
}

// anchors returns the anchors of every page. No page may have one twice: a
// link could not tell them apart by the heading alone. Only the changelog says
// "Added" for each version.
func anchors(t *testing.T) map[string]map[string]bool {
	t.Helper()
	all := map[string]map[string]bool{}
	for _, a := range pages(t) {
		all[a.name] = map[string]bool{"": true}
		for _, h := range a.headings {
			if all[a.name][anchor(h)] && a.name != "../CHANGELOG.md" {
				t.Errorf("%s has the heading %q twice", a.name, h)
			}
			all[a.name][anchor(h)] = true
		}
	}
	return all
}

// rows returns the cells of every table row of a page that has so many
// columns, without heads and rules.
func (a article) rows(columns int) [][]string {
	var all [][]string
	for n, line := range a.prose {
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "| ---") ||
			n+1 < len(a.prose) && strings.HasPrefix(a.prose[n+1], "| ---") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if len(cells) != columns {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		all = append(all, cells)
	}
	return all
}

// page returns one article.
func page(t *testing.T, name string) article {
	t.Helper()
	for _, a := range articles(t) {
		if a.name == name {
			return a
		}
	}
	t.Fatalf("there is no %s", name)
	return article{}
}

func (a article) at(line int) string { return fmt.Sprintf("%s:%d", a.name, line) }

var codeSpan = regexp.MustCompile("`([^`]+)`")

// spans returns the code spans of a text.
func spans(text string) []string {
	var all []string
	for _, m := range codeSpan.FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	return all
}
