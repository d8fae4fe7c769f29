// Package browsertest is the test kit of web pages: it drives them in headless
// Chromium.
package browsertest

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// deadline bounds everything that one test does in its browser.
const deadline = 90 * time.Second

// New starts a Chromium of its own for one test and returns the chromedp
// context of its first tab; both end with the test. The test fails when a page
// throws an error that nothing catches, or does what its
// Content-Security-Policy forbids. Without a Chromium the test is skipped, or
// fails if the environment says CI=true.
func New(t testing.TB) context.Context {
	t.Helper()
	program := find(t)
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.NoSandbox, // root, in containers and CI, has no sandbox
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.WindowSize(1280, 900),
	)
	ctx, stop := context.WithTimeout(context.Background(), deadline)
	t.Cleanup(stop)
	ctx, _ = chromedp.NewExecAllocator(ctx, options...)
	ctx, _ = chromedp.NewContext(ctx)
	if err := chromedp.Listen(ctx, func(event any) { judge(t, event) }); err != nil {
		t.Fatalf("start %s: %v", program, err)
	}
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil && ctx.Err() == nil {
			t.Errorf("stop chromium: %v", err)
		}
	})
	return ctx
}

// find returns the path of Chromium.
func find(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if program, err := exec.LookPath(name); err == nil {
			return program
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("chromium is not installed")
	}
	t.Skip("chromium is not installed")
	return ""
}

// judge fails the test for what a console would show in red, except failures
// of the network, which tests provoke.
func judge(t testing.TB, event any) {
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		words := e.ExceptionDetails.Text
		if thrown := e.ExceptionDetails.Exception; thrown != nil {
			words += " " + thrown.Description
		}
		t.Errorf("uncaught in the page: %s", words)
	case *log.EventEntryAdded:
		if e.Entry.Source == log.EntrySourceSecurity || strings.Contains(e.Entry.Text, "Content Security Policy") {
			t.Errorf("forbidden in the page: %s", e.Entry.Text)
		}
	}
}

// Screenshot writes a PNG of what the tab shows now.
func Screenshot(t testing.TB, ctx context.Context, path string) {
	t.Helper()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatalf("screenshot: %v", err)
	}
	if err := os.WriteFile(path, png, 0o644); err != nil {
		t.Fatal(err)
	}
}
