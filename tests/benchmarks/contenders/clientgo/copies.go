// The copies: two hundred in one process, and one that has to be listed anew.
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
)

const (
	shards = 100
	idle   = 3 * time.Second
)

// selections are those of benchmarks/widgets.py: each widget is in two of them.
func selections() []string {
	found := []string{}
	for _, half := range []string{"app=bench", "app!=other"} {
		for number := 0; number < shards; number++ {
			found = append(found, fmt.Sprintf("%s,shard=%d", half, number))
		}
	}
	return found
}

// holdMany is the scenario `informers`: each of them has a watch of its own.
func holdMany(client contender, objects int) {
	meter := newMeter()
	stop := make(chan struct{})
	informers := []cache.SharedIndexInformer{}
	for _, labels := range selections() {
		labels := labels
		informer := cache.NewSharedIndexInformer(&cache.ListWatch{
			ListFunc: func(options metav1.ListOptions) (kruntime.Object, error) {
				options.LabelSelector = labels
				return client.list(options)
			},
			WatchFunc: func(options metav1.ListOptions) (watch.Interface, error) {
				options.LabelSelector = labels
				return client.watch(options)
			},
		}, client.example(), 0, cache.Indexers{})
		informers = append(informers, informer)
		go informer.Run(stop)
	}
	for _, informer := range informers {
		cache.WaitForCacheSync(stop, informer.HasSynced)
	}
	meter.stop()
	before := cpu()
	time.Sleep(idle)
	spent := (cpu() - before) / idle.Seconds() * 1e3
	held := 0
	for _, informer := range informers {
		held += len(informer.GetStore().ListKeys())
	}
	if held != 2*objects {
		check(fmt.Errorf("held %d objects, expected each of %d twice", held, objects))
	}
	meter.report(map[string]interface{}{"held": held, "informers": len(informers), "idle_cpu_ms_a_second": spent})
}

// relist is the scenario of that name: one update is missed, the version of the watch expires, and the new list brings it.
func relist(client contender, objects int, value string) {
	meter := newMeter()
	expiry := newExpiry()
	changed := make(chan struct{})
	var once sync.Once
	informer := cache.NewSharedIndexInformer(&cache.ListWatch{
		ListFunc: func(options metav1.ListOptions) (kruntime.Object, error) {
			atomic.AddInt64(&expiry.lists, 1)
			return client.list(options)
		},
		WatchFunc: func(options metav1.ListOptions) (watch.Interface, error) {
			stream, err := client.watch(options)
			if err != nil {
				return nil, err
			}
			return expiry.carry(stream), nil
		},
	}, client.example(), 0, cache.Indexers{})
	informer.AddEventHandler(cache.ResourceEventHandlerFuncs{UpdateFunc: func(old, new interface{}) {
		if old.(metav1.Object).GetResourceVersion() != new.(metav1.Object).GetResourceVersion() {
			once.Do(func() { close(changed) })
		}
	}})
	stop := make(chan struct{})
	go informer.Run(stop)
	cache.WaitForCacheSync(stop, informer.HasSynced)
	<-expiry.watched
	close(expiry.muted)
	lists := atomic.LoadInt64(&expiry.lists)
	one := informer.GetStore().List()[0].(metav1.Object)
	body, err := json.Marshal(map[string]interface{}{"spec": map[string]string{"pad": value}})
	check(err)
	check(client.patch(one.GetNamespace(), one.GetName(), body))
	meter.again()
	close(expiry.expired)
	<-changed
	meter.stop()
	if held := len(informer.GetStore().ListKeys()); held != objects {
		check(fmt.Errorf("held %d objects of %d", held, objects))
	}
	meter.report(map[string]interface{}{"held": objects, "relists": atomic.LoadInt64(&expiry.lists) - lists})
}

// expiry stands before the first watch, and can have it say nothing more and then forget the version that was watched.
type expiry struct {
	watched, muted, expired chan struct{}
	once                    sync.Once
	lists                   int64
}

func newExpiry() *expiry {
	return &expiry{watched: make(chan struct{}), muted: make(chan struct{}), expired: make(chan struct{})}
}

func (e *expiry) carry(stream watch.Interface) watch.Interface {
	select {
	case <-e.expired:
		return stream
	default:
	}
	e.once.Do(func() { close(e.watched) })
	told := make(chan watch.Event)
	proxy := watch.NewProxyWatcher(told)
	go func() {
		defer close(told)
		defer stream.Stop()
		for open := true; open; {
			select {
			case event, more := <-stream.ResultChan():
				if !more {
					return
				}
				told <- event
			case <-e.muted:
				open = false
			}
		}
		<-e.expired
		told <- watch.Event{Type: watch.Error, Object: &metav1.Status{
			Status: metav1.StatusFailure, Code: http.StatusGone, Reason: metav1.StatusReasonExpired, Message: "too old resource version",
		}}
	}()
	return proxy
}
