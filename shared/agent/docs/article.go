package docs

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// maxArticle is the longest article, in bytes. Our choice: a long manual has 200
// KB, and all articles are kept in memory.
const maxArticle = 1 << 20

// section is the text under one heading, up to the next heading of any level.
type section struct {
	article  string   // path in the file system
	anchor   string   // of its heading; "" for the article's beginning
	title    string   // the article's
	path     []string // headings above it, outermost first, without the title
	heading  string   // its own; "" for the article's beginning
	text     string   // Markdown, its links not yet resolved
	topics   string   // keywords of the article, searched but not shown
	keywords string   // keywords of the section
}

// name is the text of a link to the section.
func (s *section) name() string {
	if s.heading == "" {
		return s.title
	}
	return s.title + " › " + s.heading
}

// readArticles splits all Markdown files of a file system, in the order of their paths.
func readArticles(articles fs.FS) ([]section, error) {
	var all []section
	err := fs.WalkDir(articles, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Ext(name) != ".md" {
			return err
		}
		text, err := fs.ReadFile(articles, name)
		if err != nil {
			return err
		}
		if len(text) > maxArticle {
			return fmt.Errorf("%s has %d bytes, more than %d", name, len(text), maxArticle)
		}
		all = append(all, split(name, string(text))...)
		return nil
	})
	return all, err
}

// splitter splits an article into sections, line by line.
type splitter struct {
	title    string
	sections []section
	current  section
	lines    []string       // of the current section
	open     []heading      // the headings that enclose the current line
	anchors  map[string]int // how often each came
	fence    fence
}

type heading struct {
	level int
	text  string
}

// split splits an article at its headings: lines that begin with #, outside code
// blocks, but not underlined ones. If the first heading has level 1 it is the
// article's title, and the text under it the article's beginning. Front matter
// may give a title and keywords, and a comment "<!-- keywords: … -->" gives its
// section keywords. Sections without text are left out.
func split(name, text string) []section {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\r\n", "\n")
	front, text := frontMatter(text)
	s := &splitter{title: front["title"], anchors: map[string]int{}}
	for line := range strings.Lines(text) {
		s.line(strings.TrimRight(line, "\n"))
	}
	s.close()
	s.title = cmp.Or(s.title, strings.TrimSuffix(path.Base(name), ".md"))
	for i := range s.sections {
		s.sections[i].article = name
		s.sections[i].title = s.title
		s.sections[i].topics = front["keywords"]
	}
	return s.sections
}

// frontMatter reads "key: value" lines between two lines of dashes at the
// beginning of a text. It returns them and the rest of the text.
func frontMatter(text string) (map[string]string, string) {
	body, ok := strings.CutPrefix(text, "---\n")
	head, rest, closed := strings.Cut(body, "\n---\n")
	if !ok || !closed {
		return nil, text
	}
	values := map[string]string{}
	for line := range strings.SplitSeq(head, "\n") {
		if key, value, ok := strings.Cut(line, ":"); ok {
			values[strings.TrimSpace(key)] = strings.Trim(strings.TrimSpace(value), `"'[]`)
		}
	}
	return values, rest
}

var (
	headingLine = lazy(`^ {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$`)
	comment     = lazy(`^\s*<!--\s*(?:keywords:(.*?)|.*?)-->\s*$`)
)

func (s *splitter) line(line string) {
	before := s.fence
	s.fence = s.fence.after(line)
	if before == "" && s.fence == "" && strings.ContainsAny(line, "#<") {
		if h := headingLine().FindStringSubmatch(line); h != nil {
			s.begin(heading{len(h[1]), plain(h[2])})
			return
		}
		if c := comment().FindStringSubmatch(line); c != nil {
			s.current.keywords += " " + c[1]
			return
		}
	}
	s.lines = append(s.lines, line)
}

func (s *splitter) begin(h heading) {
	s.close()
	anchor := s.anchor(h.text)
	if h.level == 1 && len(s.anchors) == 1 && (s.title == "" || s.title == h.text) {
		s.title = h.text
		s.current = section{}
		return
	}
	for len(s.open) > 0 && s.open[len(s.open)-1].level >= h.level {
		s.open = s.open[:len(s.open)-1]
	}
	s.current = section{anchor: anchor, heading: h.text}
	for _, above := range s.open {
		s.current.path = append(s.current.path, above.text)
	}
	s.open = append(s.open, h)
}

// close ends the current section.
func (s *splitter) close() {
	s.current.text = strings.Trim(strings.Join(s.lines, "\n"), "\n")
	if strings.TrimSpace(s.current.text) != "" {
		s.sections = append(s.sections, s.current)
	}
	s.lines, s.fence = nil, ""
}

var notInAnchor = lazy(`[^\p{L}\p{M}\p{N}\p{Pc} -]`)

// anchor returns the id that GitHub and most renderers give a heading: lower
// case, no punctuation, hyphens for spaces, and a number if the same heading
// came before.
func (s *splitter) anchor(heading string) string {
	base := strings.ReplaceAll(notInAnchor().ReplaceAllString(strings.ToLower(heading), ""), " ", "-")
	anchor := base
	if n := s.anchors[base]; n > 0 {
		anchor = fmt.Sprintf("%s-%d", base, n)
	}
	s.anchors[base]++
	return anchor
}

var (
	inlineLink = lazy(`\[([^\]]*)\]\([^)]*\)`)
	inlineTag  = lazy(`<[a-zA-Z/!][^>\n]*>`)
	marks      = strings.NewReplacer("*", "", "`", "")
)

// plain is the text of a heading.
func plain(heading string) string {
	return strings.TrimSpace(marks.Replace(prose(heading)))
}

// prose removes tags and the addresses of links from Markdown, leaving roughly
// what a reader sees.
func prose(text string) string {
	return inlineTag().ReplaceAllString(inlineLink().ReplaceAllString(text, "$1"), "")
}
