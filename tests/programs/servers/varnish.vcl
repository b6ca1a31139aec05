# varnishd -F -n DIRECTORY -a 127.0.0.1:8080 -f …/varnish.vcl: answers by itself.
vcl 4.1;
import std;
backend default none;
sub vcl_recv { return (synth(200)); }
sub vcl_synth {
  set resp.body = "pid 0 generation " + std.getenv("GRACED_GENERATION");
  return (deliver);
}
