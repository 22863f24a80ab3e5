package main

import (
	"testing"

	"github.com/goalgraph/goalgraph/plugins"
	"github.com/goalgraph/goalgraph/plugins/plugintest"
)

func TestPlugin(t *testing.T) { plugintest.Run(t, plugins.Of(paidTraffic{})) }
