package parley_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/shared/parley"
	"parley/shared/parleytest"
	"parley/shared/table/fault"
)

// Files of which the first bytes tell what they are.
var (
	png  = "\x89PNG\r\n\x1a\n and the rest"
	pdf  = "%PDF-1.7 and the rest"
	text = "some text"
	html = "<!DOCTYPE html><script>alert(1)</script>"
)

func (s scene) grant(name, mediaType string, size int) parley.Grant {
	s.Helper()
	g, err := s.store.GrantUpload(context.Background(), s.visitor, name, mediaType, int64(size))
	if err != nil {
		s.Fatalf("grant: %v", err)
	}
	return g
}

// put sends a file to its grant.
func (s scene) put(g parley.Grant, file string) {
	s.Helper()
	if status := s.bucket.Upload(s, g.Upload, []byte(file)); status != 201 {
		s.Fatalf("upload = %d", status)
	}
}

func (s scene) complete(id parley.FileID) error {
	_, err := s.store.CompleteUpload(context.Background(), s.visitor, id)
	return err
}

// upload has the scene's visitor upload a text file and complete it.
func (s scene) upload(name string) parley.FileID {
	s.Helper()
	g := s.grant(name, "text/plain", len(text))
	s.put(g, text)
	if err := s.complete(g.File.ID); err != nil {
		s.Fatalf("complete: %v", err)
	}
	return g.File.ID
}

// attach sends a message with files.
func (s scene) attach(id parley.EntryID, c parley.Caller, files ...parley.FileID) (parley.Sent, error) {
	r := say(id, "")
	r.Attachments = files
	return s.store.Send(context.Background(), c, r)
}

// link returns what the lasting address of a file leads to.
func (s scene) link(id parley.FileID) (string, error) {
	return s.store.FileLink(context.Background(), id, s.store.FileSecret("demo", id))
}

// TestInvariant11WhatIsServedWasChecked: an attachment is what was announced,
// its uploader's, used once and within a day; and what is served is what was checked.
func TestInvariant11WhatIsServedWasChecked(t *testing.T) {
	for name, test := range map[string]func(scene){
		"served":               servedAsChecked,
		"refused":              refusedFiles,
		"incomplete":           incompleteFiles,
		"somebody else's":      foreignFiles,
		"used twice":           usedTwice,
		"older than a day":     olderThanADay,
		"replaced":             replacedFiles,
		"announced":            announcedFiles,
		"the rest is removed":  unusedFiles,
		"the copy of the dead": copyOfTheDead,
		"kept while it counts": attachedFilesStay,
	} {
		t.Run(name, func(t *testing.T) { onBoth(t, test) })
	}
}

func servedAsChecked(s scene) {
	g := s.grant("Résumé 1.pdf", "application/pdf", len(pdf))
	s.put(g, pdf)
	if _, err := s.link(g.File.ID); !is(err, parley.ErrNotFound) {
		s.Errorf("a link before it was checked: %v", err)
	}
	for range 2 { // completing again is harmless
		s.want("complete", s.complete(g.File.ID), "")
	}
	sent, err := s.attach("m", s.visitor, g.File.ID)
	s.want("attach", err, "")
	want := parley.Attachment{ID: g.File.ID, Name: "Résumé 1.pdf", Type: "application/pdf", Size: int64(len(pdf))}
	if len(sent.Message.Parts) != 1 || *sent.Message.Parts[0].Attachment != want {
		s.Errorf("the message's parts are %+v", sent.Message.Parts)
	}
	s.put(g, asLong("%PDF-1.7 something else", pdf)) // the grant still stands
	link, err := s.link(g.File.ID)
	if err != nil {
		s.Fatal(err)
	}
	status, header, file := s.bucket.Download(s, link)
	if status != 200 || string(file) != pdf || header.Get("Content-Type") != "application/pdf" ||
		!strings.HasPrefix(header.Get("Content-Disposition"), "attachment;") {
		s.Errorf("download = %d %q %v", status, file, header)
	}
	await(parley.LinkLife + time.Second)
	if status, _, _ := s.bucket.Download(s, link); status != 403 {
		s.Errorf("the link works after its life: %d", status)
	}
	for _, wrong := range []struct {
		id     parley.FileID
		secret string
	}{{g.File.ID, ""}, {g.File.ID, "x"}, {g.File.ID + "x", s.store.FileSecret("demo", g.File.ID)},
		{"other" + g.File.ID[4:], s.store.FileSecret("demo", g.File.ID)}, {"", ""}, {"-", s.store.FileSecret("", "-")}} {
		_, err := s.store.FileLink(context.Background(), wrong.id, wrong.secret)
		s.want("link of "+string(wrong.id), err, "not_found")
	}
}

func refusedFiles(s scene) {
	p := generous()
	p.Uploads.MaxBytes = 100
	parleytest.Put(s, s.store, p)
	for _, test := range []struct{ name, mediaType, file string }{
		{"html as an image", "image/png", html},
		{"html as text", "text/plain", html},
		{"html as pdf", "application/pdf", html},
		{"pdf as png", "image/png", pdf},
		{"png as text", "text/plain", png},
		{"text as zip", "application/zip", text},
		{"svg as xml", "text/plain", "<?xml version=\"1.0\"?><svg onload=\"x()\"/>"},
	} {
		g := s.grant("a", test.mediaType, len(test.file))
		s.put(g, test.file)
		s.want(test.name, s.complete(g.File.ID), "upload_refused")
		_, err := s.attach("m", s.visitor, g.File.ID)
		s.want(test.name+" attached", err, "attachment_incomplete")
		_, err = s.link(g.File.ID)
		s.want(test.name+" linked", err, "not_found")
	}
	g := s.grant("a", "text/plain", 100)
	for _, size := range []int{0, 101} {
		if status := s.bucket.Upload(s, g.Upload, []byte(strings.Repeat("a", size))); status != 400 {
			s.Errorf("an upload of %d bytes = %d", size, status)
		}
	}
	s.put(g, strings.Repeat("a", 100))
	p.Uploads.MaxBytes = 99 // lowered meanwhile
	parleytest.Put(s, s.store, p)
	s.want("too large", s.complete(g.File.ID), "upload_refused")
	if left := s.bucket.Objects(s); slices.ContainsFunc(left, func(key string) bool { return strings.HasPrefix(key, "files/") }) {
		s.Errorf("what was refused can be served: %q", left)
	}
}

func incompleteFiles(s scene) {
	g := s.grant("a.txt", "text/plain", len(text))
	s.want("complete of nothing", s.complete(g.File.ID), "upload_incomplete")
	s.put(g, text)
	s.unchanged("attaching", func() {
		_, err := s.attach("m", s.visitor, g.File.ID)
		s.want("attach", err, "attachment_incomplete")
	})
	await(parley.UploadLife + time.Second)
	if status := s.bucket.Upload(s, g.Upload, []byte(text)); status != 403 {
		s.Errorf("an upload after the grant's life = %d", status)
	}
	s.want("complete", s.complete(g.File.ID), "")
}

func foreignFiles(s scene) {
	other := generous()
	other.ID, other.PublicKeys = "other", []string{"pk_test_other"}
	parleytest.Put(s, s.store, other)
	ready := s.upload("a.txt")
	waiting := s.grant("b.txt", "text/plain", len(text))
	s.put(waiting, text)
	for name, c := range map[string]parley.Caller{
		"another visitor":              parleytest.Visitor(s, s.store),
		"a contact":                    parleytest.Contact(s, s.store, parley.Caller{Project: "demo"}, "ann"),
		"a visitor of another project": parleytest.VisitorOf(s, s.store, "other"),
	} {
		s.unchanged(name, func() {
			for _, id := range []parley.FileID{ready, waiting.File.ID, "demo-unknown", "", "\x00"} {
				_, err := s.store.CompleteUpload(context.Background(), c, id)
				s.want(fmt.Sprintf("%s: complete %q", name, id), err, "not_found")
				_, err = s.attach("m", c, id)
				s.want(fmt.Sprintf("%s: attach %q", name, id), err, "attachment_unknown")
			}
		})
	}
	_, err := s.attach("mine", s.visitor, ready)
	s.want("attach", err, "")
}

func usedTwice(s scene) {
	id, unused := s.upload("a.txt"), s.upload("b.txt")
	s.unchanged("twice in one message", func() {
		_, err := s.attach("m", s.visitor, id, unused, id)
		s.want("twice in one message", err, "attachment_unknown")
	})
	results := make(chan error)
	for n := range 4 { // at once: one of them has it
		go func() {
			_, err := s.attach(parley.EntryID(fmt.Sprint("m", n)), s.visitor, id)
			results <- err
		}()
	}
	attached := 0
	for range 4 {
		if err := <-results; err == nil {
			attached++
		} else {
			s.want("attach", err, "attachment_unknown")
		}
	}
	if attached != 1 {
		s.Errorf("attached %d times", attached)
	}
	s.unchanged("attaching again", func() {
		_, err := s.attach("again", s.visitor, unused, id)
		s.want("attach again", err, "attachment_unknown")
	})
}

func olderThanADay(s scene) {
	young, old := s.upload("a.txt"), s.upload("b.txt")
	await(parley.FileLife - time.Minute)
	_, err := s.attach("m", s.visitor, young)
	s.want("within a day", err, "")
	await(2 * time.Minute)
	_, err = s.attach("m2", s.visitor, old)
	s.want("after a day", err, "attachment_unknown")
	_, err = s.link(old)
	s.want("a link after a day", err, "not_found")
}

// asLong is a text cut or filled up to the length of another, for a bucket takes only
// what has the announced size.
func asLong(text, other string) string {
	return (text + strings.Repeat(" ", len(other)))[:len(other)]
}

func replacedFiles(s scene) {
	g, other := s.grant("a.pdf", "application/pdf", len(pdf)), asLong(html, pdf)
	s.put(g, pdf)
	s.bucket.BeforeCopy = func() { // between the check and the copy
		s.bucket.BeforeCopy = nil
		s.put(g, other)
	}
	s.want("complete", s.complete(g.File.ID), "upload_changed")
	s.want("complete again", s.complete(g.File.ID), "upload_refused")
	if left := s.bucket.Objects(s); len(left) != 1 {
		s.Errorf("objects are %q", left)
	}
	s.put(g, pdf)
	s.want("complete what was right after all", s.complete(g.File.ID), "")
	s.put(g, other)
	s.want("complete what is complete", s.complete(g.File.ID), "")
	link, err := s.link(g.File.ID)
	if _, _, file := s.bucket.Download(s, link); err != nil || string(file) != pdf {
		s.Errorf("served is %q, %v", file, err)
	}
}

// announcedFiles: what a grant is asked for is checked.
func announcedFiles(s scene) {
	p := generous()
	p.Uploads.MaxBytes, p.Budgets.UploadsPerHour = 100, 3
	parleytest.Put(s, s.store, p)
	for _, test := range []struct {
		name, mediaType string
		size            int64
		code            string
	}{
		{"", "text/plain", 1, "invalid_field"},
		{"a/b", "text/plain", 1, "invalid_field"},
		{`a\b`, "text/plain", 1, "invalid_field"},
		{"a\nb", "text/plain", 1, "invalid_field"},
		{"\xff", "text/plain", 1, "invalid_field"},
		{strings.Repeat("a", 201), "text/plain", 1, "too_large"},
		{strings.Repeat("a", 200), "text/plain", 1, ""},
		{"a", "text/html", 1, "invalid_field"},
		{"a", "image/svg+xml", 1, "invalid_field"},
		{"a", "", 1, "invalid_field"},
		{"a", "text/plain", 0, "invalid_field"},
		{"a", "text/plain", -1, "invalid_field"},
		{"a", "text/plain", 101, "invalid_field"},
		{"a", "text/plain", 100, ""},
		{"a", "text/plain", 1, ""},
		{"a", "text/plain", 1, "uploads_limit"},
	} {
		before := s.table.Dump(s)
		_, err := s.store.GrantUpload(context.Background(), s.visitor, test.name, test.mediaType, test.size)
		s.want(fmt.Sprintf("grant of %.9q %s %d", test.name, test.mediaType, test.size), err, test.code)
		if changed := parleytest.Differences(before, s.table.Dump(s)); test.code != "" && len(changed) > 0 {
			s.Errorf("a refused grant changed %q", changed)
		}
	}
	p.Uploads.Disabled = true
	parleytest.Put(s, s.store, p)
	_, err := s.store.GrantUpload(context.Background(), s.visitor, "a", "text/plain", 1)
	s.want("grant", err, "uploads_off")
}

// unusedFiles: what no message carries goes, with its bytes.
func unusedFiles(s scene) {
	s.upload("never attached.txt")
	s.sweepFiles()
	s.noFiles("after a day")
}

// sweepFiles sweeps when files that were completed now are due.
func (s scene) sweepFiles() {
	s.Helper()
	await(parley.FileLife + time.Hour)
	if swept, _ := parleytest.Sweep(s, s.store); swept.Jobs == 0 || swept.Failed > 0 {
		s.Errorf("swept %+v", swept)
	}
}

// noFiles fails the test if a file is left, but for what the bucket itself expires.
func (s scene) noFiles(when string) {
	s.Helper()
	for _, key := range s.bucket.Objects(s) {
		if !strings.HasPrefix(key, "quarantine/") {
			s.Errorf("%s: the object %s is left", when, key)
		}
	}
	for k := range s.table.Dump(s) {
		if strings.HasPrefix(k.PK, "demo/file/") {
			s.Errorf("%s: the item %v is left", when, k)
		}
	}
}

func attachedFilesStay(s scene) {
	id := s.upload("a.txt")
	if _, err := s.attach("m", s.visitor, id); err != nil {
		s.Fatal(err)
	}
	s.sweepFiles()
	await(24 * time.Hour)
	link, err := s.link(id)
	if err != nil {
		s.Fatalf("link: %v", err)
	}
	if status, _, file := s.bucket.Download(s, link); status != 200 || string(file) != text {
		s.Errorf("download = %d %q", status, file)
	}
	for k := range s.table.Dump(s) {
		if k.SK == "job/drop" {
			s.Errorf("%v is left", k)
		}
	}
}

// copyOfTheDead: who completed the upload died after it was copied, and never came back.
func copyOfTheDead(s scene) {
	g := s.grant("a.txt", "text/plain", len(text))
	s.put(g, text)
	p := fault.NewNetwork(fault.NetworkConfig{Table: s.table}).Process(fault.Config{})
	s.bucket.BeforeCopy = p.Crash
	if _, err := s.over(p).CompleteUpload(context.Background(), s.visitor, g.File.ID); !errors.Is(err, fault.ErrCrashed) {
		s.Fatalf("complete = %v", err)
	}
	if len(s.bucket.Objects(s)) != 2 {
		s.Fatalf("objects are %q", s.bucket.Objects(s))
	}
	s.sweepFiles()
	s.noFiles("after a day")
}

// TestUploadDies crashes a process before and after every call of a completion:
// nothing that it has copied is left for good.
func TestUploadDies(t *testing.T) {
	for _, kind := range []fault.Kind{fault.CrashBefore, fault.CrashAfter} {
		for call, more := 1, true; more; call++ {
			onBolt(t, func(s scene) {
				parleytest.Sweep(s, s.store)
				g := s.grant("a.txt", "text/plain", len(text))
				s.put(g, text)
				p := fault.NewNetwork(fault.NetworkConfig{Table: s.table}).Process(fault.Config{Plan: map[int]fault.Kind{call: kind}})
				_, err := s.over(p).CompleteUpload(context.Background(), s.visitor, g.File.ID)
				if more = p.Calls() >= call; more && !errors.Is(err, fault.ErrCrashed) {
					s.Errorf("crash at call %d: %v", call, err)
				}
				await(parley.FileLife + 2*time.Hour)
				for range 10 {
					parleytest.Sweep(s, s.store)
				}
				s.noFiles(fmt.Sprintf("after a crash of kind %d at call %d", kind, call))
			})
		}
	}
}

// TestLooseFile: a page that holds neither a token nor a session may upload, within
// its address's limit; whoever holds a session and knows the id may attach it, once.
func TestLooseFile(t *testing.T) { onBolt(t, testLooseFile) }

func testLooseFile(s scene) {
	t, settings := s.T, generous()
	settings.Budgets.UploadsPerHour = 2
	parleytest.Put(t, s.store, settings)
	nobody := parley.Caller{Project: parleytest.Project, Capability: true, Address: "192.0.2.1"}
	upload := func() (parley.File, error) {
		return s.store.PutUpload(t.Context(), nobody, "", "a.png", "image/png", []byte(png))
	}
	f, err := upload()
	if err != nil || f.State != parley.FileReady {
		t.Fatalf("upload = %+v, %v", f, err)
	}
	_, err = s.attach("m1", s.visitor, f.ID)
	s.want("attaching it with a token", err, "attachment_unknown")
	parleytest.Send(t, s.store, s.bearer("named"), say("m2", "named"))
	mine := s.upload("mine.txt")
	r := say("m3", "named")
	r.Attachments = []parley.FileID{mine}
	_, err = s.store.Send(t.Context(), s.bearer("named"), r)
	s.want("attaching a visitor's file without a token", err, "attachment_unknown")
	r.Attachments = []parley.FileID{f.ID}
	if _, err := s.store.Send(t.Context(), s.bearer("named"), r); err != nil {
		t.Fatal(err)
	}
	r.ID = "m4"
	_, err = s.store.Send(t.Context(), s.bearer("named"), r)
	s.want("attaching it again", err, "attachment_unknown")
	if _, err := upload(); err != nil {
		t.Fatal(err)
	}
	_, err = upload()
	s.want("a third from one address", err, "uploads_limit")
	nobody.Address = "192.0.2.2"
	if _, err := upload(); err != nil {
		t.Errorf("from another address: %v", err)
	}
	settings.TokenRequired = true
	parleytest.Put(t, s.store, settings)
	_, err = upload()
	s.want("where visitors have to be signed in", err, "identity_required")
}

// TestLazyUpload: a file whose client says nothing when it is there is looked at when it
// is used first, and may be smaller than was announced.
func TestLazyUpload(t *testing.T) {
	const most = 20
	for name, test := range map[string]struct {
		file string // "" is not sent
		code string
		link string
	}{
		"as large as may be": {words(most), "", ""},
		"smaller":            {"x", "", ""},
		"larger":             {words(most + 1), "upload_refused", "not_found"},
		"not there":          {"", "attachment_incomplete", "not_found"},
		"something else":     {png[:most], "upload_refused", "not_found"},
	} {
		t.Run(name, func(t *testing.T) {
			onBolt(t, func(s scene) {
				ctx := context.Background()
				sends := func() parley.FileID {
					g, err := s.store.GrantPut(ctx, s.visitor, "a.txt", "text/plain", most)
					if err != nil {
						s.Fatal(err)
					}
					if test.file != "" {
						if err := s.bucket.Put(ctx, "quarantine/demo/"+string(g.File.ID), "text/plain", []byte(test.file)); err != nil {
							s.Fatal(err)
						}
					}
					return g.File.ID
				}
				linked := sends()
				_, err := s.link(linked)
				s.want("its link", err, test.link)
				attached := sends()
				sent, err := s.attach("m1", s.visitor, attached)
				s.want("its message", err, test.code)
				if test.code != "" {
					return
				}
				if a := sent.Message.Parts[0].Attachment; a == nil || a.Size != int64(len(test.file)) {
					s.Errorf("attached is %+v, want %d bytes", a, len(test.file))
				}
			})
		})
	}
}

// TestFileIsLinkedWhenItIsReady: an announced file leads nowhere before it was completed.
func TestFileIsLinkedWhenItIsReady(t *testing.T) {
	onBolt(t, func(s scene) {
		g := s.grant("a.txt", "text/plain", len(text))
		s.put(g, text)
		_, err := s.link(g.File.ID)
		s.want("before", err, "not_found")
		s.want("complete", s.complete(g.File.ID), "")
		_, err = s.link(g.File.ID)
		s.want("afterwards", err, "")
	})
}

// away is a bucket that cannot be reached.
type away struct{ *parleytest.Bucket }

var errAway = errors.New("no route to the bucket")

func (away) GrantUpload(context.Context, string, string, int64, int64, time.Duration) (parley.UploadGrant, error) {
	return parley.UploadGrant{}, errAway
}

func (away) GrantPut(context.Context, string, string, time.Duration) (parley.UploadGrant, error) {
	return parley.UploadGrant{}, errAway
}

func (away) Put(context.Context, string, string, []byte) error { return errAway }

func (away) Inspect(context.Context, string) (parley.Object, error) { return parley.Object{}, errAway }

func (away) Link(context.Context, string, time.Duration) (string, error) { return "", errAway }

func (away) Delete(context.Context, ...string) error { return errAway }

// uncopied is one in which nothing can be copied.
type uncopied struct{ *parleytest.Bucket }

func (uncopied) Copy(context.Context, string, string, string, string, string) error { return errAway }

// TestBucketIsAway: what the bucket could not do is said to be unavailable, and can be
// asked for again.
func TestBucketIsAway(t *testing.T) {
	onBolt(t, func(s scene) {
		ctx := context.Background()
		ready := s.upload("ready.txt")
		waiting := s.grant("waiting.txt", "text/plain", len(text))
		s.put(waiting, text)
		without := parleytest.Store(s, parley.Config{Table: s.table, Bucket: away{s.bucket}})
		for name, call := range map[string]func() error{
			"grant": func() error {
				_, err := without.GrantUpload(ctx, s.visitor, "a.txt", "text/plain", 1)
				return err
			},
			"grant of a put": func() error {
				_, err := without.GrantPut(ctx, s.visitor, "a.txt", "text/plain", 1)
				return err
			},
			"put": func() error {
				_, err := without.PutUpload(ctx, s.visitor, "", "a.txt", "text/plain", []byte(text))
				return err
			},
			"complete": func() error {
				_, err := without.CompleteUpload(ctx, s.visitor, waiting.File.ID)
				return err
			},
			"copy": func() error {
				_, err := parleytest.Store(s, parley.Config{Table: s.table, Bucket: uncopied{s.bucket}}).CompleteUpload(ctx, s.visitor, waiting.File.ID)
				return err
			},
			"link": func() error {
				_, err := without.FileLink(ctx, ready, without.FileSecret("demo", ready))
				return err
			},
		} {
			if err := call(); !is(err, parley.ErrUnavailable) || !is(err, errAway) {
				s.Errorf("%s = %v, want %v because of %v", name, err, parley.ErrUnavailable, errAway)
			}
		}
		s.want("complete again", s.complete(waiting.File.ID), "")
	})
}

// TestFileOfAMessage: a client's own words of a file come back to it, and a file of an
// operator's is sent by operators once.
func TestFileOfAMessage(t *testing.T) {
	onBolt(t, func(s scene) {
		file := s.upload("a.txt")
		r := say("m1", "")
		r.Attachments = []parley.FileID{file}
		r.Refs = map[parley.FileID]parley.Ref{file: {ID: "own", Name: "mine.txt", Type: "text/plain", Size: 3}}
		sent := s.send(r)
		if a := sent.Message.Parts[0].Attachment; a == nil || a.Ref == nil || *a.Ref != r.Refs[file] {
			s.Errorf("attached is %+v", a)
		}
		f, err := s.store.PutUpload(context.Background(), operatorNamed("ola"), "", "b.txt", "text/plain", []byte(text))
		if err != nil {
			s.Fatal(err)
		}
		reply := parley.ReplyRequest{ID: "r1", Session: sent.Session.ID, Attachments: []parley.FileID{f.ID}}
		got := s.replies(reply)
		if len(got.Message.Parts) != 1 || got.Message.Parts[0].Attachment == nil || got.Message.Parts[0].Attachment.Name != "b.txt" {
			s.Errorf("replied with %+v", got.Message.Parts)
		}
		address := func(a parley.Attachment) string { return "https://files.example/" + a.Name }
		if got := got.Message.Written(address); got != "b.txt: https://files.example/b.txt" {
			s.Errorf("written as %q", got)
		}
		if got := sent.Message.Written(address); got != "question m1\na.txt: https://files.example/a.txt" {
			s.Errorf("written as %q", got)
		}
		reply.ID = "r2"
		_, err = s.store.Reply(context.Background(), operatorNamed("ola"), ola.Author(), reply)
		s.want("the same file again", err, "attachment_unknown")
	})
}
