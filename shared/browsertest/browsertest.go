// Package browsertest is the test kit of web pages: it drives them in headless
// Chromium.
package browsertest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// deadline bounds everything that one test does in its browser.
const deadline = 90 * time.Second

// New returns the chromedp context of a tab for one test, in which nothing of other
// tests is: no cookies, no storage, no cache. The tab and those beside it end with the
// test. The test fails when a page throws an error that nothing catches, or does what
// its Content-Security-Policy forbids. Without a Chromium the test is skipped, or fails
// if the environment says CI=true.
func New(t testing.TB) context.Context {
	t.Helper()
	ctx, stop := context.WithTimeout(start(t), deadline)
	t.Cleanup(stop)
	ctx, _ = chromedp.NewContext(ctx, chromedp.WithNewBrowserContext())
	if err := chromedp.Listen(ctx, func(event any) { judge(t, event) }); err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil && ctx.Err() == nil {
			t.Errorf("close the tab: %v", err)
		}
	})
	// A tab acts as if it had the focus, whatever tests beside it do with theirs.
	if _, err := chromedp.Call(ctx, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// running is the Chromium that all tests of a test binary share, for a start takes
// seconds of a processor. It dies with the process; its folder lies beside the test
// binary, where go test removes it in the end.
var running struct {
	sync.Mutex
	context.Context
}

// start returns the context of the Chromium, and starts one where none runs.
func start(t testing.TB) context.Context {
	t.Helper()
	running.Lock()
	defer running.Unlock()
	if running.Context != nil && running.Err() == nil {
		return running.Context
	}
	program := find(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	folder, err := os.MkdirTemp(filepath.Dir(self), "chromium")
	if err != nil {
		t.Fatal(err)
	}
	ctx, _ := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program),
		chromedp.UserDataDir(folder),
		chromedp.NoSandbox, // root, in containers and CI, has no sandbox
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		// A process held ready for the next page would be a third of all that are started.
		chromedp.Flag("disable-features", "Translate,BlinkGenPropertyTrees,SpareRendererForSitePerProcess"),
		chromedp.WindowSize(1280, 900),
	)...)
	ctx, _ = chromedp.NewContext(ctx)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start %s: %v", program, err)
	}
	running.Context = ctx
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
