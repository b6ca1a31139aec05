// libsystemd, loaded when the first of its functions is called and not when the program starts: with the
// libraries it needs in turn it takes as long to load as everything before the first worker. In our
// namespace its functions go by their own names, so a call looks as it always does. What is called must be
// in the list below, or the linker does not find it.
#pragma once

// The place in the source would be the same line always.
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>
#include <systemd/sd-journal.h>
#include <systemd/sd-login.h>

namespace graced {

// Throws std::runtime_error if the library, or that in it, is not there.
void* systemd_symbol(const char* name);

// Throws std::runtime_error, with the way out, if the library cannot be loaded.
void load_systemd();

// The same, but an intact file in the usual place of the library is enough: to load it takes longer than a
// worker needs to start.
void require_systemd();

template <class Function>
class SystemdFunction {
 public:
  consteval explicit SystemdFunction(const char* name) : name_(name) {}

  template <class... Arguments>
  auto operator()(Arguments... arguments) {
    if (!function_) function_ = reinterpret_cast<Function*>(systemd_symbol(name_));
    return function_(arguments...);
  }

 private:
  const char* name_;
  Function* function_ = nullptr;
};

#define GRACED_SYSTEMD(name) inline constinit SystemdFunction<decltype(::name)> name(#name)

GRACED_SYSTEMD(sd_bus_add_filter);
GRACED_SYSTEMD(sd_bus_add_object_vtable);
GRACED_SYSTEMD(sd_bus_call);
GRACED_SYSTEMD(sd_bus_call_async);
GRACED_SYSTEMD(sd_bus_close_unref);
GRACED_SYSTEMD(sd_bus_emit_signal);
GRACED_SYSTEMD(sd_bus_error_free);
GRACED_SYSTEMD(sd_bus_error_has_name);
GRACED_SYSTEMD(sd_bus_error_set);
GRACED_SYSTEMD(sd_bus_get_events);
GRACED_SYSTEMD(sd_bus_get_fd);
GRACED_SYSTEMD(sd_bus_get_n_queued_write);
GRACED_SYSTEMD(sd_bus_is_open);
GRACED_SYSTEMD(sd_bus_is_ready);
GRACED_SYSTEMD(sd_bus_message_append);
GRACED_SYSTEMD(sd_bus_message_append_array);
GRACED_SYSTEMD(sd_bus_message_append_basic);
GRACED_SYSTEMD(sd_bus_message_appendv);
GRACED_SYSTEMD(sd_bus_message_at_end);
GRACED_SYSTEMD(sd_bus_message_close_container);
GRACED_SYSTEMD(sd_bus_message_enter_container);
GRACED_SYSTEMD(sd_bus_message_exit_container);
GRACED_SYSTEMD(sd_bus_message_get_errno);
GRACED_SYSTEMD(sd_bus_message_get_error);
GRACED_SYSTEMD(sd_bus_message_is_method_call);
GRACED_SYSTEMD(sd_bus_message_is_signal);
GRACED_SYSTEMD(sd_bus_message_new_method_call);
GRACED_SYSTEMD(sd_bus_message_new_method_return);
GRACED_SYSTEMD(sd_bus_message_new_signal);
GRACED_SYSTEMD(sd_bus_message_open_container);
GRACED_SYSTEMD(sd_bus_message_read);
GRACED_SYSTEMD(sd_bus_message_read_array);
GRACED_SYSTEMD(sd_bus_message_read_basic);
GRACED_SYSTEMD(sd_bus_message_ref);
GRACED_SYSTEMD(sd_bus_message_skip);
GRACED_SYSTEMD(sd_bus_message_unref);
GRACED_SYSTEMD(sd_bus_message_verify_type);
GRACED_SYSTEMD(sd_bus_negotiate_fds);
GRACED_SYSTEMD(sd_bus_new);
GRACED_SYSTEMD(sd_bus_process);
GRACED_SYSTEMD(sd_bus_reply_method_error);
GRACED_SYSTEMD(sd_bus_reply_method_return);
GRACED_SYSTEMD(sd_bus_send);
GRACED_SYSTEMD(sd_bus_set_address);
GRACED_SYSTEMD(sd_bus_set_anonymous);
GRACED_SYSTEMD(sd_bus_set_bus_client);
GRACED_SYSTEMD(sd_bus_set_fd);
GRACED_SYSTEMD(sd_bus_set_server);
GRACED_SYSTEMD(sd_bus_start);
GRACED_SYSTEMD(sd_bus_wait);
GRACED_SYSTEMD(sd_event_add_io);
GRACED_SYSTEMD(sd_event_add_signal);
GRACED_SYSTEMD(sd_event_add_time);
GRACED_SYSTEMD(sd_event_exit);
GRACED_SYSTEMD(sd_event_loop);
GRACED_SYSTEMD(sd_event_new);
GRACED_SYSTEMD(sd_event_run);
GRACED_SYSTEMD(sd_event_source_disable_unref);
GRACED_SYSTEMD(sd_event_source_set_destroy_callback);
GRACED_SYSTEMD(sd_event_source_set_enabled);
GRACED_SYSTEMD(sd_event_source_set_io_events);
GRACED_SYSTEMD(sd_event_source_set_priority);
GRACED_SYSTEMD(sd_event_source_set_ratelimit);
GRACED_SYSTEMD(sd_event_source_set_time);
GRACED_SYSTEMD(sd_event_unref);
GRACED_SYSTEMD(sd_id128_randomize);
GRACED_SYSTEMD(sd_journal_sendv);
GRACED_SYSTEMD(sd_journal_stream_fd);
GRACED_SYSTEMD(sd_pid_get_owner_uid);
GRACED_SYSTEMD(sd_pid_get_unit);
GRACED_SYSTEMD(sd_pid_get_user_unit);

#undef GRACED_SYSTEMD

}  // namespace graced
