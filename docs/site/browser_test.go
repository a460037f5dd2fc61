//go:build browser

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// On a phone's width and on a desk's, in light and in dark, no page is wider than
// the screen, and the menu opens. With LOOK=DIR a picture of each is kept there.
func TestPagesFitAScreen(t *testing.T) {
	site := t.TempDir() + "/site"
	if _, err := write(root, site); err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox)
	browser, stop := chromedp.NewExecAllocator(context.Background(), options...)
	defer stop()
	tab, closeTab := chromedp.NewContext(browser)
	defer closeTab()
	for _, width := range []int64{390, 1280} {
		for _, scheme := range []string{"light", "dark"} {
			for _, k := range kinds() {
				for _, e := range k.Pages {
					fits(t, tab, site, url(e.File), width, scheme)
				}
			}
		}
	}
}

// seen is what a page says of itself.
type seen struct {
	Wide       float64 `json:"wide"`
	Background string  `json:"background"`
	Menu       bool    `json:"menu"`
}

const look = `(() => {
	const wide = document.documentElement.scrollWidth;
	const background = getComputedStyle(document.body).backgroundColor;
	document.getElementById("menu").click();
	return {wide, background, menu: document.querySelector("header nav").offsetHeight > 0};
})()`

func fits(t *testing.T, tab context.Context, site, page string, width int64, scheme string) {
	t.Helper()
	err := chromedp.Do(tab,
		chromedp.EmulateViewport(width, 844),
		chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
			_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
			})
			return err
		}),
		chromedp.Navigate("file://"+filepath.Join(site, page)),
	)
	if err != nil {
		t.Fatalf("%s: %v", page, err)
	}
	if dir := os.Getenv("LOOK"); dir != "" {
		picture, err := chromedp.Run(tab, chromedp.CaptureScreenshot())
		if err != nil {
			t.Fatalf("%s: %v", page, err)
		}
		name := fmt.Sprintf("%s/%d-%s-%s.png", dir, width, scheme, filepath.Base(page))
		if err := os.WriteFile(name, picture, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := chromedp.Run(tab, chromedp.Evaluate[seen](look))
	if err != nil {
		t.Fatalf("%s: %v", page, err)
	}
	if got.Wide > float64(width) {
		t.Errorf("%s is %v wide on a screen of %d", page, got.Wide, width)
	}
	if dark := got.Background != "rgb(255, 255, 255)"; dark != (scheme == "dark") {
		t.Errorf("%s in %s is %s", page, scheme, got.Background)
	}
	if !got.Menu {
		t.Errorf("%s: the menu does not open on a screen of %d", page, width)
	}
}
