package org.fhirimport.testserver;

import ca.uhn.fhir.batch2.api.IJobCoordinator;
import ca.uhn.fhir.batch2.api.IJobMaintenanceService;
import ca.uhn.fhir.batch2.api.JobOperationResultJson;
import ca.uhn.fhir.batch2.jobs.config.Batch2JobsConfig;
import ca.uhn.fhir.batch2.jobs.imprt.BulkDataImportProvider;
import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.IValidationSupport;
import ca.uhn.fhir.jpa.api.config.JpaStorageSettings;
import ca.uhn.fhir.jpa.api.config.ThreadPoolFactoryConfig;
import ca.uhn.fhir.jpa.api.dao.IFhirSystemDao;
import ca.uhn.fhir.jpa.batch2.JpaBatch2Config;
import ca.uhn.fhir.jpa.binary.api.IBinaryStorageSvc;
import ca.uhn.fhir.jpa.binstore.MemoryBinaryStorageSvcImpl;
import ca.uhn.fhir.jpa.config.HapiJpaConfig;
import ca.uhn.fhir.jpa.config.r4.JpaR4Config;
import ca.uhn.fhir.jpa.config.util.HapiEntityManagerFactoryUtil;
import ca.uhn.fhir.jpa.model.config.PartitionSettings;
import ca.uhn.fhir.jpa.model.config.SubscriptionSettings;
import ca.uhn.fhir.jpa.model.dialect.HapiFhirH2Dialect;
import ca.uhn.fhir.jpa.provider.IJpaSystemProvider;
import ca.uhn.fhir.jpa.provider.JpaCapabilityStatementProvider;
import ca.uhn.fhir.jpa.search.DatabaseBackedPagingProvider;
import ca.uhn.fhir.jpa.subscription.channel.config.SubscriptionChannelConfig;
import ca.uhn.fhir.rest.server.HardcodedServerAddressStrategy;
import ca.uhn.fhir.rest.server.RestfulServer;
import ca.uhn.fhir.rest.server.provider.ResourceProviderFactory;
import ca.uhn.fhir.rest.server.util.ISearchParamRegistry;
import jakarta.persistence.EntityManagerFactory;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.io.PrintStream;
import java.util.Properties;
import java.util.UUID;
import java.util.function.Function;
import javax.sql.DataSource;
import org.apache.commons.dbcp2.BasicDataSource;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.springframework.beans.factory.config.ConfigurableListableBeanFactory;
import org.springframework.context.ApplicationContext;
import org.springframework.context.annotation.AnnotationConfigApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Import;
import org.springframework.context.annotation.Primary;
import org.springframework.orm.jpa.JpaTransactionManager;
import org.springframework.orm.jpa.LocalContainerEntityManagerFactoryBean;
import org.springframework.transaction.annotation.EnableTransactionManagement;

/**
 * HAPI FHIR R4 on an H2 database in memory, listening on 127.0.0.1 only.
 *
 * <ul>
 *   <li>{@code /fhir}: with the bulk {@code $import} operation;
 *   <li>{@code /fhir-without-import}: the same storage, and the operation switched off;
 *   <li>{@code POST /test/cancel?id=JOB}: cancels a job, which no REST call of HAPI does;
 *   <li>{@code POST /test/refint?on=BOOL}: turns referential integrity on or off.
 * </ul>
 *
 * System properties: {@code hapi.port} (0, the default, picks a free one), {@code hapi.refint} (true) and
 * {@code hapi.maintenanceMs} (250). Prints one line, {@code READY http://127.0.0.1:PORT/fhir}, when it serves, and
 * ends when its standard input ends.
 */
public final class HapiServer {

    private HapiServer() {}

    /** Starts the server; a server that cannot start leaves no process behind. */
    public static void main(String[] args) {
        PrintStream stdout = System.out;
        System.setOut(System.err); // whatever a library prints: stdout belongs to the READY line
        startDaemon("stdin", HapiServer::exitAtEndOfInput);
        try {
            stdout.println("READY " + serve());
        } catch (Exception e) {
            e.printStackTrace();
            System.exit(1);
        }
    }

    /** Starts everything and returns the base address of the server with bulk import. */
    private static String serve() throws Exception {
        Server jetty = new Server();
        ServerConnector connector = new ServerConnector(jetty);
        connector.setHost("127.0.0.1");
        connector.setPort(Integer.getInteger("hapi.port", 0));
        connector.open(); // the port must be known before the FHIR servers are told their addresses
        jetty.addConnector(connector);
        String root = "http://127.0.0.1:" + connector.getLocalPort();

        ApplicationContext spring = new AnnotationConfigApplicationContext(Beans.class);
        jetty.setHandler(servlets(spring, root));
        jetty.start();
        startDaemon("maintenance", () -> maintainJobs(spring, Long.getLong("hapi.maintenanceMs", 250)));
        return root + "/fhir";
    }

    /** The two FHIR servers and the two hooks. The server without import builds itself at its first request. */
    private static ServletContextHandler servlets(ApplicationContext spring, String root) {
        RestfulServer withImport = fhirServer(spring, root + "/fhir");
        withImport.registerProvider(spring.getBean(BulkDataImportProvider.class));
        RestfulServer withoutImport = fhirServer(spring, root + "/fhir-without-import");
        ServletHolder atStart = new ServletHolder(withImport);
        atStart.setInitOrder(1);

        ServletContextHandler servlets = new ServletContextHandler("/");
        servlets.addServlet(atStart, "/fhir/*");
        servlets.addServlet(new ServletHolder(withoutImport), "/fhir-without-import/*");
        servlets.addServlet(hook(request -> cancel(spring, request)), "/test/cancel");
        servlets.addServlet(hook(request -> setReferentialIntegrity(spring, request)), "/test/refint");
        return servlets;
    }

    /** A FHIR server over the shared storage, without bulk import. */
    private static RestfulServer fhirServer(ApplicationContext spring, String base) {
        IFhirSystemDao<?, ?> system = spring.getBean(IFhirSystemDao.class);
        RestfulServer server = new RestfulServer(system.getContext());
        server.registerProviders(spring.getBean(ResourceProviderFactory.class).createProviders());
        server.registerProvider(spring.getBean(IJpaSystemProvider.class));
        server.setPagingProvider(spring.getBean(DatabaseBackedPagingProvider.class));
        server.setServerAddressStrategy(new HardcodedServerAddressStrategy(base));
        server.setServerConformanceProvider(new JpaCapabilityStatementProvider(
                server, system, spring.getBean(JpaStorageSettings.class),
                spring.getBean(ISearchParamRegistry.class), spring.getBean(IValidationSupport.class)));
        return server;
    }

    private static String cancel(ApplicationContext spring, HttpServletRequest request) {
        IJobCoordinator jobs = spring.getBean(IJobCoordinator.class);
        JobOperationResultJson result = jobs.cancelInstance(request.getParameter("id"));
        if (!result.getSuccess()) {
            throw new IllegalArgumentException(result.getMessage());
        }
        return result.getMessage();
    }

    private static String setReferentialIntegrity(ApplicationContext spring, HttpServletRequest request) {
        String on = request.getParameter("on");
        if (!"true".equals(on) && !"false".equals(on)) {
            throw new IllegalArgumentException("on must be true or false");
        }
        spring.getBean(JpaStorageSettings.class).setEnforceReferentialIntegrityOnWrite(Boolean.parseBoolean(on));
        return "referential integrity: " + on;
    }

    /** A servlet for one test-only POST: a line of text, with status 400 when the action refuses its argument. */
    private static ServletHolder hook(Function<HttpServletRequest, String> action) {
        return new ServletHolder(new HttpServlet() {
            @Override
            protected void doPost(HttpServletRequest request, HttpServletResponse response) throws IOException {
                response.setContentType("text/plain");
                String line;
                try {
                    line = action.apply(request);
                } catch (IllegalArgumentException e) {
                    response.setStatus(HttpServletResponse.SC_BAD_REQUEST);
                    line = e.getMessage();
                }
                response.getWriter().println(line);
            }
        });
    }

    /** HAPI moves its jobs on once a minute; the same pass, run more often, spares the tests the wait. */
    private static void maintainJobs(ApplicationContext spring, long everyMs) {
        IJobMaintenanceService maintenance = spring.getBean(IJobMaintenanceService.class);
        while (true) {
            try {
                Thread.sleep(everyMs);
                maintenance.runMaintenancePass();
            } catch (InterruptedException e) {
                return;
            } catch (RuntimeException e) {
                System.err.println("maintenance pass: " + e);
            }
        }
    }

    /** The test run holds the other end of stdin: when it ends, however it ends, so do we. */
    private static void exitAtEndOfInput() {
        try {
            System.in.transferTo(PrintStream.nullOutputStream());
        } catch (IOException e) {
            System.err.println("stdin: " + e);
        }
        System.exit(0);
    }

    private static void startDaemon(String name, Runnable task) {
        Thread thread = new Thread(task, name);
        thread.setDaemon(true);
        thread.start();
    }

    /** What HAPI's own configuration leaves to the installation. */
    @Configuration
    @EnableTransactionManagement
    @Import({
        JpaR4Config.class, HapiJpaConfig.class, JpaBatch2Config.class, Batch2JobsConfig.class,
        SubscriptionChannelConfig.class, ThreadPoolFactoryConfig.class
    })
    static class Beans {

        @Bean
        JpaStorageSettings storageSettings() {
            JpaStorageSettings settings = new JpaStorageSettings();
            settings.setResourceClientIdStrategy(JpaStorageSettings.ClientIdStrategyEnum.ANY);
            settings.setResourceServerIdStrategy(JpaStorageSettings.IdStrategyEnum.UUID);
            settings.setEnforceReferentialIntegrityOnWrite(
                    Boolean.parseBoolean(System.getProperty("hapi.refint", "true")));
            return settings;
        }

        @Bean
        SubscriptionSettings subscriptionSettings() {
            return new SubscriptionSettings();
        }

        @Bean
        PartitionSettings partitionSettings() {
            return new PartitionSettings();
        }

        @Bean
        IBinaryStorageSvc binaryStorage() {
            return new MemoryBinaryStorageSvcImpl();
        }

        @Bean
        DataSource dataSource() {
            BasicDataSource pool = new BasicDataSource();
            pool.setDriver(new org.h2.Driver());
            pool.setUrl("jdbc:h2:mem:" + UUID.randomUUID() + ";DB_CLOSE_DELAY=-1");
            pool.setMaxTotal(30);
            return pool;
        }

        @Bean
        LocalContainerEntityManagerFactoryBean entityManagerFactory(
                ConfigurableListableBeanFactory beans, FhirContext fhir, JpaStorageSettings settings, DataSource pool) {
            Properties hibernate = new Properties();
            hibernate.put("hibernate.hbm2ddl.auto", "create-only"); // the database is always new
            hibernate.put("hibernate.dialect", HapiFhirH2Dialect.class.getName());
            hibernate.put("hibernate.search.enabled", "false");
            LocalContainerEntityManagerFactoryBean factory =
                    HapiEntityManagerFactoryUtil.newEntityManagerFactory(beans, fhir, settings);
            factory.setPersistenceUnitName("HAPI");
            factory.setDataSource(pool);
            factory.setJpaProperties(hibernate);
            return factory;
        }

        @Bean
        @Primary
        JpaTransactionManager transactionManager(EntityManagerFactory factory) {
            return new JpaTransactionManager(factory);
        }
    }
}
