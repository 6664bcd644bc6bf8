package webtest

import (
	"testing"

	"github.com/chromedp/chromedp"
)

func TestBrowser(t *testing.T) {
	var sum int
	if err := chromedp.Run(Browser(t), chromedp.Navigate("about:blank"), chromedp.Evaluate("1 + 1", &sum)); err != nil {
		t.Fatal(err)
	}
	if sum != 2 {
		t.Errorf("1 + 1 is %d", sum)
	}
}
