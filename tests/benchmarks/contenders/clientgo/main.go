// The contender on client-go: a shared informer and a rate-limited work queue, typed or dynamic.
//
//	clientgo --mode typed|dynamic SCENARIO --kubeconfig FILE --objects N --value V --workers N --updates N
//
// It speaks the contenders' protocol (benchmarks/race.py): one line of JSON on stdout at the end, and in latency scenarios the word
// "ready" on a line before. CPU is that of all threads from the start of the work to its end; managedFields are thrown away on arrival.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/workqueue"
)

var group = schema.GroupVersion{Group: "bench.windlass.dev", Version: "v1"}

type Item struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type WidgetSpec struct {
	Items []Item `json:"items,omitempty"`
	Pad   string `json:"pad,omitempty"`
	Stamp string `json:"stamp,omitempty"`
}

type WidgetStatus struct {
	Phase              string `json:"phase,omitempty"`
	ObservedGeneration int64  `json:"observedGeneration,omitempty"`
}

type Widget struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              WidgetSpec   `json:"spec,omitempty"`
	Status            WidgetStatus `json:"status,omitempty"`
}

type WidgetList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Widget `json:"items"`
}

func (w *Widget) DeepCopyObject() kruntime.Object {
	out := *w
	w.ObjectMeta.DeepCopyInto(&out.ObjectMeta)
	out.Spec.Items = append([]Item(nil), w.Spec.Items...)
	return &out
}

func (l *WidgetList) DeepCopyObject() kruntime.Object {
	out := *l
	out.Items = make([]Widget, len(l.Items))
	for i := range l.Items {
		out.Items[i] = *(l.Items[i].DeepCopyObject().(*Widget))
	}
	return &out
}

type contender interface {
	list(options metav1.ListOptions) (kruntime.Object, error)
	watch(options metav1.ListOptions) (watch.Interface, error)
	example() kruntime.Object
	phase(object interface{}) string
	stamp(object interface{}) string
	patch(namespace, name string, body []byte, subresources ...string) error
}

type typed struct{ client *rest.RESTClient }

func newTyped(config *rest.Config) contender {
	scheme := kruntime.NewScheme()
	scheme.AddKnownTypes(group, &Widget{}, &WidgetList{})
	metav1.AddToGroupVersion(scheme, group)
	mine := rest.CopyConfig(config)
	mine.GroupVersion = &group
	mine.APIPath = "/apis"
	mine.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	client, err := rest.RESTClientFor(mine)
	check(err)
	return &typed{client}
}

func (t *typed) list(options metav1.ListOptions) (kruntime.Object, error) {
	found := &WidgetList{}
	err := t.client.Get().Resource("widgets").VersionedParams(&options, metav1.ParameterCodec).Do(context.TODO()).Into(found)
	for i := range found.Items {
		found.Items[i].ManagedFields = nil
	}
	return found, err
}

func (t *typed) watch(options metav1.ListOptions) (watch.Interface, error) {
	options.Watch = true
	stream, err := t.client.Get().Resource("widgets").VersionedParams(&options, metav1.ParameterCodec).Watch(context.TODO())
	if err != nil {
		return nil, err
	}
	return watch.Filter(stream, func(event watch.Event) (watch.Event, bool) {
		if widget, ok := event.Object.(*Widget); ok {
			widget.ManagedFields = nil
		}
		return event, true
	}), nil
}

func (t *typed) example() kruntime.Object { return &Widget{} }

func (t *typed) phase(object interface{}) string { return object.(*Widget).Status.Phase }

func (t *typed) stamp(object interface{}) string { return object.(*Widget).Spec.Stamp }

func (t *typed) patch(namespace, name string, body []byte, subresources ...string) error {
	return t.client.Patch(types.MergePatchType).Namespace(namespace).Resource("widgets").Name(name).SubResource(subresources...).
		Body(body).Do(context.TODO()).Into(&Widget{})
}

type untyped struct{ client dynamic.NamespaceableResourceInterface }

func newDynamic(config *rest.Config) contender {
	client, err := dynamic.NewForConfig(config)
	check(err)
	return &untyped{client.Resource(group.WithResource("widgets"))}
}

func (u *untyped) list(options metav1.ListOptions) (kruntime.Object, error) {
	found, err := u.client.List(context.TODO(), options)
	if err == nil {
		for i := range found.Items {
			found.Items[i].SetManagedFields(nil)
		}
	}
	return found, err
}

func (u *untyped) watch(options metav1.ListOptions) (watch.Interface, error) {
	stream, err := u.client.Watch(context.TODO(), options)
	if err != nil {
		return nil, err
	}
	return watch.Filter(stream, func(event watch.Event) (watch.Event, bool) {
		if widget, ok := event.Object.(*unstructured.Unstructured); ok {
			widget.SetManagedFields(nil)
		}
		return event, true
	}), nil
}

func (u *untyped) example() kruntime.Object { return &unstructured.Unstructured{} }

func (u *untyped) phase(object interface{}) string {
	found, _, _ := unstructured.NestedString(object.(*unstructured.Unstructured).Object, "status", "phase")
	return found
}

func (u *untyped) stamp(object interface{}) string {
	found, _, _ := unstructured.NestedString(object.(*unstructured.Unstructured).Object, "spec", "stamp")
	return found
}

func (u *untyped) patch(namespace, name string, body []byte, subresources ...string) error {
	_, err := u.client.Namespace(namespace).Patch(
		context.TODO(), name, types.MergePatchType, body, metav1.PatchOptions{}, subresources...,
	)
	return err
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "clientgo:", err)
		os.Exit(1)
	}
}

func monotonic() int64 {
	var now unix.Timespec
	check(unix.ClockGettime(unix.CLOCK_MONOTONIC, &now))
	return now.Nano()
}

func main() {
	flags := flag.NewFlagSet("clientgo", flag.ExitOnError)
	kubeconfig := flags.String("kubeconfig", "", "")
	objects := flags.Int("objects", 0, "")
	value := flags.String("value", "", "")
	mode := flags.String("mode", "typed", "")
	workers := flags.Int("workers", 16, "")
	updates := flags.Int("updates", 0, "")
	check(flags.Parse(os.Args[1:])) // up to the scenario
	if flags.NArg() == 0 {
		check(fmt.Errorf("expected a scenario"))
	}
	scenario := flags.Arg(0)
	check(flags.Parse(flags.Args()[1:]))

	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	check(err)
	config.QPS = -1
	var client contender
	if *mode == "dynamic" {
		client = newDynamic(config)
	} else {
		client = newTyped(config)
	}

	switch scenario {
	case "informers":
		holdMany(client, *objects)
		return
	case "relist":
		relist(client, *objects, *value)
		return
	}
	meter := newMeter()
	informer := cache.NewSharedIndexInformer(
		&cache.ListWatch{ListFunc: client.list, WatchFunc: client.watch}, client.example(), 0, cache.Indexers{},
	)
	queue := workqueue.NewNamedRateLimitingQueue(workqueue.DefaultControllerRateLimiter(), "bench")
	add := func(object interface{}) {
		key, err := cache.DeletionHandlingMetaNamespaceKeyFunc(object)
		if err == nil {
			queue.Add(key)
		}
	}
	if scenario != "sync" {
		informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    add,
			UpdateFunc: func(_, object interface{}) { add(object) },
			DeleteFunc: add,
		})
	}
	over := make(chan struct{})
	stop := make(chan struct{})
	var done int64
	var counting int32
	since := monotonic() // what is older is from an earlier race
	var once sync.Once
	finish := func() { once.Do(func() { close(over) }) }
	var lock sync.Mutex
	latencies := []float64{}
	go informer.Run(stop)
	if !cache.WaitForCacheSync(stop, informer.HasSynced) {
		check(fmt.Errorf("the cache was not synced"))
	}
	body, err := json.Marshal(map[string]interface{}{"status": map[string]string{"phase": *value}})
	check(err)

	reconcile := func(key string) error {
		object, exists, err := informer.GetStore().GetByKey(key)
		if err != nil || !exists {
			return err
		}
		switch scenario {
		case "reconcile":
			if client.phase(object) == *value {
				return nil
			}
			namespace, name, _ := cache.SplitMetaNamespaceKey(key)
			if err := client.patch(namespace, name, body, "status"); err != nil {
				return err
			}
			if atomic.AddInt64(&done, 1) == int64(*objects) {
				finish()
			}
		case "noop":
			if atomic.LoadInt32(&counting) == 0 {
				return nil
			}
			if client.phase(object) == "never" {
				return fmt.Errorf("unexpected")
			}
			if atomic.AddInt64(&done, 1) == int64(*objects) {
				finish()
			}
		case "latency":
			found := client.stamp(object)
			if found == "" {
				return nil
			}
			sent, err := strconv.ParseInt(found, 10, 64)
			if err != nil || sent < atomic.LoadInt64(&since) {
				return nil // from an earlier race
			}
			lock.Lock()
			latencies = append(latencies, float64(monotonic()-sent)/1e6)
			if len(latencies) == *updates {
				finish()
			}
			lock.Unlock()
		}
		return nil
	}
	if scenario == "sync" {
		finish()
	} else {
		for i := 0; i < *workers; i++ {
			go func() {
				for {
					key, shutdown := queue.Get()
					if shutdown {
						return
					}
					if err := reconcile(key.(string)); err != nil {
						queue.AddRateLimited(key)
					} else {
						queue.Forget(key)
					}
					queue.Done(key)
				}
			}()
		}
	}
	if scenario == "latency" || scenario == "noop" {
		for queue.Len() > 0 {
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(100 * time.Millisecond) // the last keys are still with the workers
		atomic.StoreInt32(&counting, 1)
		atomic.StoreInt64(&since, monotonic())
		meter.begin()
	}
	switch scenario {
	case "latency":
		fmt.Println("ready")
	case "noop":
		for _, key := range informer.GetStore().ListKeys() {
			queue.Add(key)
		}
	}
	<-over
	meter.stop()
	if held := len(informer.GetStore().ListKeys()); held < *objects {
		check(fmt.Errorf("held %d objects of %d", held, *objects))
	}
	own := map[string]interface{}{}
	if scenario == "latency" {
		own["latencies_ms"] = latencies
	}
	meter.report(own)
}
